// The operation measure_pipeline_memory: what a pipeline holds, what it takes to reload it, and what it loses each time.
#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "../probe/ledger.h"
#include "handles.h"
#include "pipeline_session.h"
#include "resident.h"

namespace rtc::host {
namespace {

namespace ledger = probe::ledger;

constexpr std::uint64_t max_cycles = 1000;
constexpr auto patience = std::chrono::seconds(10);
constexpr auto look_every = std::chrono::microseconds(200);
constexpr auto longest_settling = std::chrono::milliseconds(500);
constexpr std::int64_t settled_bytes = 4096;

// Each frame through the pipeline, one at a time. Throws std::runtime_error for a result that doesn't come.
void run(Pipeline& pipeline, const Array& frames, Result& result) {
    for (std::size_t frame = 0; frame < frames.frames; ++frame) {
        if (!pipeline.submit(frame, frames.row(frame)))
            throw std::runtime_error("submit said RTC_FULL with nothing pending.");
        const auto give_up = std::chrono::steady_clock::now() + patience;
        while (!pipeline.poll(result)) {
            if (std::chrono::steady_clock::now() > give_up)
                throw std::runtime_error("No result came for frame " + std::to_string(frame) + " within 10 s.");
            std::this_thread::sleep_for(look_every);
        }
    }
}

void reload_all(Pipeline& pipeline) {
    if (const auto refusal = pipeline.reload(RTC_ALL_MODELS)) throw *refusal;
}

// The least that is held within a moment. What was swapped out may be freed a while later, on another thread: as soon as
// hardly more is held than before, there is nothing to wait for.
std::int64_t held(std::int64_t before) {
    const auto give_up = std::chrono::steady_clock::now() + longest_settling;
    std::int64_t least = ledger::usage().asked_for();
    while (least > before + settled_bytes && std::chrono::steady_clock::now() < give_up) {
        std::this_thread::sleep_for(look_every);
        least = std::min(least, ledger::usage().asked_for());
    }
    return least;
}

}  // namespace

// After each reload a frame: what is swapped out may be freed only then.
Json PipelineSession::measure_pipeline_memory(const Json& request) {
    const std::string where = place(request), dir = string_field(request, where, "dir");
    const std::uint64_t cycles = integer_field(request, where, "cycles", 0, max_cycles);
    if (!pipelines_.empty())
        throw BadRequest("measure_pipeline_memory counts everything that is held: close all pipelines first.");

    const std::int64_t resident_before = resident_bytes();
    auto pipeline = std::make_unique<Pipeline>(*api_, dir);
    const Array frames = frames_field(request, where, *pipeline);
    Result result(pipeline->places());
    run(*pipeline, frames, result);
    const std::int64_t live = ledger::usage().total(), asked_for = ledger::usage().asked_for();
    const std::int64_t resident = resident_bytes() - resident_before;
    ledger::restart_peak();
    std::vector<std::int64_t> reloaded, reopened;
    const Handles opened = Handles::now();
    for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
        reload_all(*pipeline);
        run(*pipeline, frames, result);
        reloaded.push_back(held(reloaded.empty() ? asked_for : reloaded.back()));
    }
    const std::int64_t peak = std::max(ledger::peak(), live);
    const Handles left_by_reload = opened.left();
    pipeline.reset();
    const Handles closed = Handles::now();
    for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
        pipeline = std::make_unique<Pipeline>(*api_, dir);
        run(*pipeline, frames, result);
        pipeline.reset();
        reopened.push_back(held(reopened.empty() ? 0 : reopened.back()));
    }
    if (const char* full = ledger::usage().full) throw std::runtime_error(full);
    const Handles left_by_close = closed.left();
    const auto static_bytes = static_cast<std::int64_t>(static_data().bytes());
    return {{"live_bytes", live + static_bytes},
            {"reload_peak_bytes", peak + static_bytes},
            {"static_bytes", static_bytes},
            {"after_reload_bytes", reloaded},
            {"after_close_bytes", reopened},
            {"reload_descriptors_left", left_by_reload.descriptors},
            {"reload_threads_left", left_by_reload.threads},
            {"close_descriptors_left", left_by_close.descriptors},
            {"close_threads_left", left_by_close.threads},
            {"rss_bytes", resident}};
}

}  // namespace rtc::host
