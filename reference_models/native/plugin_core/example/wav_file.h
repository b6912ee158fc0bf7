// A WAV file as floats: as much of the format as an example needs.
#pragma once

#include <string>
#include <vector>

struct WavFile
{
    double rate = 0; // Hz
    std::vector<std::vector<float>> channels; // full scale 1, all of one length

    size_t samples() const { return channels.empty() ? 0 : channels.front().size(); }
};

/** Reads 16, 24 and 32 bit PCM and 32 bit float. Throws std::runtime_error with what was expected and what was found. */
WavFile read_wav(const std::string& path);
