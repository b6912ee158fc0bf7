// The plugin core at full speed while its models are reloaded, good files and broken ones, and then the same frames
// once more in quiet: each result has to be the same, bit for bit, with the same files swapped in before the same frames.
//
//     plugin_stress LIBRARY LOADER VARIANTS WORK FRAMES RELOAD_MS SEED
//
// VARIANTS holds folders with five good files each; WORK is an empty folder. Prints one JSON object of counts, and exits
// with 1 if any of them says that something went wrong.
#include <rtconform_plugin/async_inference.h>
#include <rtconform_plugin/loader_library.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace fs = std::filesystem;
using namespace rtconform::plugin;

namespace
{

std::string content_of(const fs::path& path)
{
    std::ifstream file { path, std::ios::binary };
    return { std::istreambuf_iterator<char> { file }, {} };
}

/** Puts a file into place as a whole, as an editor or a trainer does. */
void put(const fs::path& path, const std::string& content)
{
    const auto fresh = path.string() + ".new";
    std::ofstream { fresh, std::ios::binary } << content;
    fs::rename(fresh, path);
}

/** FNV-1a over everything in a result but its id. */
uint64_t digest_of(const StepResult& result)
{
    uint64_t digest = 14695981039346656037u;
    const auto add = [&](const void* data, size_t bytes)
    {
        for(size_t i = 0; i < bytes; ++i)
            digest = (digest ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
    };
    add(result.outputs.data(), sizeof result.outputs);
    add(result.fallback.data(), sizeof result.fallback);
    return digest;
}

struct Played
{
    uint64_t digest;
    std::array<uint32_t, model_count> version;
};

using Variants = std::vector<std::array<std::string, model_count>>; // file contents
using Installed = std::map<std::pair<size_t, uint32_t>, size_t>; // (model, version) to variant

struct Counts
{
    uint64_t frames = 0, lost = 0, duplicated = 0, reordered = 0, differing = 0, late = 0;
    uint64_t reloads = 0, refused = 0, wrongly_accepted = 0, wrongly_refused = 0, swaps = 0;
};

std::array<float, frame_size> features_of(uint64_t frame)
{
    std::minstd_rand random { static_cast<unsigned>(frame % 4096 + 1) };
    std::array<float, frame_size> features;
    for(float& value : features)
        value = static_cast<float>(random()) / static_cast<float>(random.max()) * 2.0f - 1.0f;
    return features;
}

/** What the audio thread does: hands over frames as fast as they are taken, and picks up every result. */
std::vector<Played> play(AsyncInference& inference, uint64_t frames, Counts& counts)
{
    std::vector<Played> played;
    played.reserve(frames);
    AsyncResult result;
    for(uint64_t next = 0, expected = 0; expected < frames;)
    {
        if(next < frames)
        {
            const auto features = features_of(next);
            next += inference.submit(next, 0, features.data(), frame_size) == Submitted::accepted;
        }
        std::this_thread::yield();
        while(inference.poll(result))
        {
            counts.lost += result.frame_id > expected ? result.frame_id - expected : 0;
            counts.duplicated += result.frame_id + 1 == expected;
            counts.reordered += result.frame_id + 1 < expected;
            counts.late += result.late;
            played.push_back({ digest_of(result), result.version });
            expected = result.frame_id + 1;
        }
    }
    counts.frames = played.size();
    return played;
}

/** Reloads one model or all every so often, every third time from files that no model can be made of. */
Installed disturb(MultiModelProcessor& processor, const fs::path& folder, const Variants& variants,
    std::chrono::milliseconds pause, unsigned seed, const std::atomic<bool>& is_over, Counts& counts)
{
    Installed installed;
    std::minstd_rand random { seed };
    while(!is_over)
    {
        std::this_thread::sleep_for(pause);
        const bool all = random() % 4 == 0;
        const size_t only = random() % model_count, variant = random() % variants.size(), damage = random() % 6;
        const bool is_good = damage >= 2;
        ModelSet models;
        all ? models.set() : models.set(only);
        for(size_t m = 0; m < model_count; ++m)
        {
            if(!models[m])
                continue;
            const auto& good = variants[variant][m];
            const auto path = folder / model_specs[m].file;
            if(damage == 0)
                put(path, good.substr(0, random() % (good.size() / 2)));
            else if(damage == 1)
                fs::remove(path);
            else
                put(path, good);
        }
        const auto errors = processor.reload(models);
        ++counts.reloads;
        for(size_t m = 0; m < model_count; ++m)
        {
            if(!models[m])
                continue;
            counts.refused += errors[m].has_value();
            counts.wrongly_accepted += !errors[m] && !is_good;
            counts.wrongly_refused += errors[m] && is_good;
            if(!errors[m])
                installed[{ m, processor.status(m).version }] = variant;
        }
    }
    return installed;
}

/** The same frames in one thread. */
void replay(const rtc_loader& loader, const fs::path& folder, const Variants& variants, const Installed& installed,
    const std::vector<Played>& played, Counts& counts)
{
    for(size_t m = 0; m < model_count; ++m)
        put(folder / model_specs[m].file, variants[0][m]);
    MultiModelProcessor processor { loader, { folder.string() } };
    StepResult result;
    for(uint64_t frame = 0; frame < played.size(); ++frame)
    {
        ModelSet swapped;
        for(size_t m = 0; m < model_count; ++m)
        {
            if(frame == 0 ? played[0].version[m] == 1 : played[frame].version[m] == played[frame - 1].version[m])
                continue;
            put(folder / model_specs[m].file, variants[installed.at({ m, played[frame].version[m] })][m]);
            swapped.set(m);
        }
        if(swapped.any())
            processor.reload(swapped);
        counts.swaps += swapped.any();
        const auto features = features_of(frame);
        processor.process(frame, features.data(), frame_size, result);
        counts.differing += digest_of(result) != played[frame].digest;
    }
}

} // namespace

int main(int count, char** values)
{
    if(count != 8)
        return std::fprintf(stderr, "usage: plugin_stress LIBRARY LOADER VARIANTS WORK FRAMES RELOAD_MS SEED\n"), 2;
    const auto loader = open_loader(values[1], values[2]);
    if(const auto* wrong = std::get_if<std::string>(&loader))
        return std::fprintf(stderr, "%s\n", wrong->c_str()), 2;
    const auto& api = *std::get<const rtc_loader*>(loader);

    Variants variants;
    for(const auto& folder : fs::directory_iterator { values[3] })
    {
        auto& files = variants.emplace_back();
        for(size_t m = 0; m < model_count; ++m)
            files[m] = content_of(folder.path() / model_specs[m].file);
    }
    const fs::path live = fs::path { values[4] } / "live", quiet = fs::path { values[4] } / "quiet";
    fs::create_directories(live);
    fs::create_directories(quiet);
    for(size_t m = 0; m < model_count; ++m)
        put(live / model_specs[m].file, variants[0][m]);

    Counts counts;
    MultiModelProcessor processor { api, { live.string() } };
    AsyncInference inference { processor };
    inference.start();
    std::vector<Played> played;
    std::atomic<bool> is_over { false };
    std::thread audio { [&]
        {
            played = play(inference, std::strtoull(values[5], nullptr, 10), counts);
            is_over = true;
        } };
    const auto installed = disturb(processor, live, variants, std::chrono::milliseconds { std::atoi(values[6]) },
        static_cast<unsigned>(std::atoi(values[7])), is_over, counts);
    audio.join();
    inference.stop();
    const auto seen = inference.counters();
    replay(api, quiet, variants, installed, played, counts);

    const uint64_t wrong = counts.lost + counts.duplicated + counts.reordered + counts.differing
        + counts.wrongly_accepted + counts.wrongly_refused + (seen.accepted != seen.polled)
        + (seen.late != counts.late);
    std::printf("{\"frames\": %llu, \"lost\": %llu, \"duplicated\": %llu, \"reordered\": %llu, \"differing\": %llu, "
                "\"late\": %llu, \"full\": %llu, \"reloads\": %llu, \"refused_files\": %llu, "
                "\"wrongly_accepted\": %llu, \"wrongly_refused\": %llu, \"swaps\": %llu}\n",
        static_cast<unsigned long long>(counts.frames), static_cast<unsigned long long>(counts.lost),
        static_cast<unsigned long long>(counts.duplicated), static_cast<unsigned long long>(counts.reordered),
        static_cast<unsigned long long>(counts.differing), static_cast<unsigned long long>(counts.late),
        static_cast<unsigned long long>(seen.refused), static_cast<unsigned long long>(counts.reloads),
        static_cast<unsigned long long>(counts.refused), static_cast<unsigned long long>(counts.wrongly_accepted),
        static_cast<unsigned long long>(counts.wrongly_refused), static_cast<unsigned long long>(counts.swaps));
    return wrong == 0 ? 0 : 1;
}
