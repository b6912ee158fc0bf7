// The plugin core at work, in as few words as a real plugin could use: an audio file at real-time pace on a thread that
// stands for the host's audio thread, the five models live, and reloaded while it plays.
//
//     live_host LOADER_LIBRARY MODELS_FOLDER AUDIO.wav [RELOAD_SECONDS]
#include <rtconform_plugin/async_inference.h>
#include <rtconform_plugin/audio_front_end.h>
#include <rtconform_plugin/loader_library.h>
#include <rtconform_plugin/model_reloader.h>

#include "wav_file.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

using namespace rtconform::plugin;
using Clock = std::chrono::steady_clock;

namespace
{

constexpr size_t block_size = 256; // samples

double milliseconds(Clock::duration duration)
{
    return std::chrono::duration<double, std::milli> { duration }.count();
}

void print_models(const MultiModelProcessor& processor)
{
    for(size_t m = 0; m < model_count; ++m)
    {
        const auto status = processor.status(m);
        std::printf("%-18s %-8s version %u  %.12s  %s\n", model_specs[m].name,
            status.state == ModelState::loaded ? "loaded" : "fallback", status.version, status.file.sha256.c_str(),
            status.reason.c_str());
    }
}

/** What the audio thread passes on to the window, and what it has seen itself. */
struct Played
{
    SpscQueue<AsyncResult> results { 256 };
    uint64_t not_shown = 0; // results for which that queue had no room
    Clock::duration longest_block {}; // that process_block took
    std::atomic<bool> is_over { false };
};

/** The audio thread of a host: a block as soon as its time has come. What stands in the loop is what a plugin's
    processBlock would do, and is real-time safe. */
void play(const WavFile& wav, AudioFrontEnd& front_end, AsyncInference& inference, Played& played)
{
    std::vector<const float*> channels(wav.channels.size());
    const auto begin = Clock::now();
    for(size_t at = 0; at < wav.samples(); at += block_size)
    {
        const auto size = std::min(block_size, wav.samples() - at);
        std::this_thread::sleep_until(begin + std::chrono::duration_cast<Clock::duration>(
                                                  std::chrono::duration<double> { (at + size) / wav.rate }));
        const auto block_begin = Clock::now();
        for(size_t c = 0; c < channels.size(); ++c)
            channels[c] = &wav.channels[c][at];
        front_end.push(channels.data(), size,
            [&](const AnalysisFrame& frame)
            {
                inference.submit(frame.number, static_cast<int64_t>(frame.heard_at), frame.features, LogMel::bands);
            });
        AsyncResult result;
        while(inference.poll(result))
        {
            if(auto* const place = played.results.back())
            {
                *place = result;
                played.results.push();
            }
            else
                ++played.not_shown;
        }
        played.longest_block = std::max(played.longest_block, Clock::now() - block_begin);
    }
    played.is_over = true;
}

/** One line about a result. */
void print(const AsyncResult& result, double rate)
{
    const auto mean = [&](size_t model, size_t begin, size_t end)
    {
        const float* outputs = result.outputs_of(model);
        double sum = 0;
        for(size_t i = begin; i < end; ++i)
            sum += outputs[i];
        return sum / static_cast<double>(end - begin);
    };
    const auto likeliest = [&](size_t model)
    {
        const float* outputs = result.outputs_of(model);
        return std::max_element(outputs, outputs + model_specs[model].output_size) - outputs;
    };
    std::printf("%7.2f s  valence %+.2f  arousal %+.2f  note %3td  chord %2td  velocity %.2f  groove %+.3f  %.2f ms%s\n",
        static_cast<double>(result.sample) / rate, mean(0, 0, 32), mean(0, 32, 64), likeliest(1), likeliest(2),
        mean(3, 0, 8), mean(4, 0, 16), milliseconds(result.took), result.late ? "  late" : "");
}

int run(int count, char** values)
{
    if(count < 4 || count > 5)
    {
        std::fprintf(stderr, "usage: live_host LOADER_LIBRARY MODELS_FOLDER AUDIO.wav [RELOAD_SECONDS]\n");
        return 2;
    }
    const auto loader = open_loader(values[1]);
    if(const auto* wrong = std::get_if<std::string>(&loader))
        throw std::runtime_error { *wrong };
    const auto wav = read_wav(values[3]);
    const double reload_seconds = count == 5 ? std::atof(values[4]) : 0;

    MultiModelProcessor processor { *std::get<const rtc_loader*>(loader), model_folders(values[2]) };
    AsyncInference inference { processor };
    AudioFrontEnd front_end { wav.rate, static_cast<uint32_t>(wav.channels.size()) };
    inference.start();
    ModelReloader reloader { processor, {} }; // and whoever changes a file hears it
    print_models(processor);
    std::printf("worker: %s; algorithmic latency: %u samples, %.2f ms\n", inference.worker_priority().c_str(),
        front_end.latency_samples(), 1000 * front_end.latency_samples() / wav.rate);

    Played played;
    std::thread audio { [&] { play(wav, front_end, inference, played); } };
    std::vector<double> took;
    auto next_line = Clock::now(), next_reload = next_line;
    while(!played.is_over)
    {
        std::this_thread::sleep_for(std::chrono::milliseconds { 20 });
        for(; auto* const result = played.results.front(); played.results.pop())
        {
            took.push_back(milliseconds(result->took));
            if(Clock::now() < next_line)
                continue;
            print(*result, wav.rate);
            std::fflush(stdout);
            next_line += std::chrono::seconds { 1 };
        }
        if(reload_seconds > 0 && Clock::now() >= next_reload)
        {
            reloader.request();
            next_reload += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double> { reload_seconds });
        }
    }
    audio.join();

    print_models(processor);
    const auto counters = inference.counters();
    std::sort(took.begin(), took.end());
    std::printf("frames: %llu accepted, %llu refused, %llu polled, %llu late\n",
        static_cast<unsigned long long>(counters.accepted), static_cast<unsigned long long>(counters.refused),
        static_cast<unsigned long long>(counters.polled), static_cast<unsigned long long>(counters.late));
    if(!took.empty())
        std::printf("submit to result: median %.2f ms, longest %.2f ms; longest block on the audio thread: %.3f of %.2f ms\n",
            took[took.size() / 2], took.back(), milliseconds(played.longest_block), 1000 * block_size / wav.rate);
    return 0;
}

} // namespace

int main(int count, char** values)
{
    try
    {
        return run(count, values);
    }
    catch(const std::exception& error)
    {
        std::fprintf(stderr, "live_host: %s\n", error.what());
        return 1;
    }
}
