// The operation measure_memory: what the loader holds for a set of files, and what it loses per load and unload.
#include <algorithm>
#include <memory>

#include "../abi/refusal.h"
#include "../probe/ledger.h"
#include "handles.h"
#include "resident.h"
#include "session.h"

namespace rtc::host {
namespace {

namespace ledger = probe::ledger;

constexpr std::uint32_t prepared_frames = 1024;  // as long as most hosts ask for
constexpr std::size_t processed_frames = 43;  // not a power of two, less than what is prepared
constexpr std::uint64_t default_cycles = 20;
constexpr std::uint64_t max_cycles = 1000;
// What is enough to be sure of a leak, before the machine's memory or the process's descriptors are at an end.
constexpr std::uint64_t least_cycles = 3;
constexpr double many_bytes = 1 << 26;
constexpr std::int64_t many_handles = 256;

using Models = std::vector<std::unique_ptr<Model>>;

// Numbers in [-1, 1), the same in every run: Knuth's 64-bit linear congruential generator (MMIX).
void fill_with_noise(std::vector<float>& values) {
    std::uint64_t state = 1;
    for (float& value : values) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        value = static_cast<float>(state >> 40) / static_cast<float>(1 << 23) - 1.0f;
    }
}

Models load_all(const rtc_loader& loader, const std::vector<std::string>& paths) {
    Models models;
    for (const auto& path : paths) {
        models.push_back(std::make_unique<Model>(loader, path));
        models.back()->prepare(prepared_frames);
    }
    return models;
}

void run_all(const Models& models) {
    for (const auto& model : models) {
        std::vector<float> in(processed_frames * model->input_size()), out(processed_frames * model->output_size());
        fill_with_noise(in);
        model->process(in.data(), out.data(), static_cast<std::uint32_t>(processed_frames));
        model->reset();
    }
}

void load_and_unload(const rtc_loader& loader, const std::vector<std::string>& paths,
                     const std::vector<std::string>& others) {
    run_all(load_all(loader, paths));
    for (const auto& path : others) {
        try {
            const Model accepted(loader, path);
        } catch (const Refusal&) {
        }
    }
}

// Slope of the least-squares line through (0, y0), (1, y1), and so on.
double slope(const std::vector<double>& y) {
    const double n = static_cast<double>(y.size());
    if (y.size() < 2) return 0.0;
    double sum_y = 0.0, sum_xy = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        sum_y += y[i];
        sum_xy += static_cast<double>(i) * y[i];
    }
    const double sum_x = n * (n - 1) / 2, sum_xx = n * (n - 1) * (2 * n - 1) / 6;
    return (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
}

std::vector<std::string> path_list(const Json& list, const std::string& where) {
    const auto is_path = [](const Json& path) { return path.is_string(); };
    if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_path))
        throw BadRequest(where + ": expected a list of strings.");
    return list.get<std::vector<std::string>>();
}

std::vector<std::vector<std::string>> lists_of_paths(const Json& request, const std::string& where) {
    std::vector<std::vector<std::string>> lists;
    if (request.contains("others"))
        for (const Json& list : list_field(request, where, "others"))
            lists.push_back(path_list(list, "Field \"others\" of " + where));
    if (lists.empty()) lists.emplace_back();
    return lists;
}

}  // namespace

Json Session::measure_memory(const Json& request) {
    const std::string where = place(request);
    const auto paths = path_list(list_field(request, where, "paths"), "Field \"paths\" of " + where);
    const auto others = lists_of_paths(request, where);
    const auto cycles =
        request.contains("cycles") ? integer_field(request, where, "cycles", 0, max_cycles) : default_cycles;
    if (!models_.empty()) throw BadRequest("measure_memory counts everything that is held: unload all models first.");

    const std::int64_t resident_before = resident_bytes();
    ledger::restart_peak();
    Models models = load_all(*loader_, paths);
    const std::int64_t live = ledger::usage().total();
    run_all(models);
    const std::int64_t after_processing = ledger::usage().total();
    const std::int64_t resident = resident_bytes() - resident_before;
    const std::int64_t peak = ledger::peak();
    const auto static_bytes = static_cast<std::int64_t>(static_data().bytes());
    models.clear();

    // What a library makes at its first refusal, say, and keeps for the next ones, is there before the counting.
    if (cycles > 0) load_and_unload(*loader_, paths, others.front());
    const Handles before = Handles::now();
    std::vector<double> left;
    for (std::uint64_t cycle = 1; cycle <= cycles; ++cycle) {
        load_and_unload(*loader_, paths, others[cycle % others.size()]);
        left.push_back(static_cast<double>(ledger::usage().asked_for()));
        const Handles more = before.more();
        const bool is_sure =
            left.back() - left.front() > many_bytes || std::max(more.descriptors, more.threads) > many_handles;
        if (cycle >= least_cycles && is_sure) break;
    }
    if (const char* full = ledger::usage().full) throw std::runtime_error(full);
    const Handles handles = before.left();
    return {{"live_bytes", live + static_bytes},
            {"peak_bytes", peak + static_bytes},
            {"static_bytes", static_bytes},
            {"after_processing_bytes", after_processing + static_bytes},
            {"leak_bytes_per_cycle", slope(left)},
            {"descriptors_left", handles.descriptors},
            {"threads_left", handles.threads},
            {"rss_bytes", resident}};
}

}  // namespace rtc::host
