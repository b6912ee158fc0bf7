#include "wav_file.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace
{

constexpr uint32_t pcm = 1, ieee_float = 3, extensible = 0xfffe;

/** The little-endian number in so many bytes. */
uint32_t number(const std::string& bytes, size_t at, size_t count)
{
    uint32_t value = 0;
    for(size_t i = count; i-- > 0;)
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

float sample(const std::string& bytes, size_t at, uint32_t format, uint32_t width)
{
    const uint32_t raw = number(bytes, at, width);
    if(format == ieee_float)
    {
        float value;
        std::memcpy(&value, &raw, sizeof value);
        return value;
    }
    // To the top of 32 bits, where the sign is.
    return static_cast<float>(static_cast<int32_t>(raw << (32 - 8 * width))) / 2147483648.0f;
}

} // namespace

WavFile read_wav(const std::string& path)
{
    std::ifstream file { path, std::ios::binary };
    const std::string bytes { std::istreambuf_iterator<char> { file }, {} };
    const auto wrong = [&](const std::string& found)
    { return std::runtime_error { path + ": expected a WAV file with PCM or float samples, found " + found }; };
    if(bytes.size() < 12 || bytes.compare(0, 4, "RIFF") != 0 || bytes.compare(8, 4, "WAVE") != 0)
        throw wrong(bytes.empty() ? "nothing that can be read" : "no RIFF/WAVE header");

    uint32_t format = 0, channels = 0, rate = 0, width = 0;
    for(size_t chunk = 12; chunk + 8 <= bytes.size();)
    {
        const size_t begin = chunk + 8, size = std::min<size_t>(number(bytes, chunk + 4, 4), bytes.size() - begin);
        if(bytes.compare(chunk, 4, "fmt ") == 0 && size >= 16)
        {
            format = number(bytes, begin, 2);
            if(format == extensible && size >= 26)
                format = number(bytes, begin + 24, 2);
            channels = number(bytes, begin + 2, 2);
            rate = number(bytes, begin + 4, 4);
            width = number(bytes, begin + 14, 2) / 8;
        }
        else if(bytes.compare(chunk, 4, "data") == 0)
        {
            const bool is_known = format == pcm ? width >= 2 && width <= 4 : format == ieee_float && width == 4;
            if(!is_known || channels == 0 || rate == 0)
                throw wrong("format " + std::to_string(format) + " of " + std::to_string(8 * width) + " bits");
            WavFile wav;
            wav.rate = rate;
            wav.channels.assign(channels, std::vector<float>(size / (width * channels)));
            for(size_t i = 0; i < wav.samples() * channels; ++i)
                wav.channels[i % channels][i / channels] = sample(bytes, begin + i * width, format, width);
            return wav;
        }
        chunk = begin + size + size % 2;
    }
    throw wrong("no samples");
}
