// The operation measure_latency: a flow of models stepped frame by frame, each step timed by two clocks, with the
// outputs of the timed steps checked against the first cycle's.
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "flow.h"
#include "session.h"

namespace rtc::host {
namespace {

constexpr std::uint64_t max_steps = 10'000'000;
constexpr std::size_t max_null_steps = 10'000;

// Stands in for a model in a step that does nothing: what gathering, calling and the clocks cost by themselves.
__attribute__((noinline)) void null_process(const float* in, float* out) {
    __asm__ volatile("" : : "r"(in), "r"(out) : "memory");
}

std::int64_t nanoseconds(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// How often the system has taken the processor away from this thread while it wanted to run.
std::int64_t involuntary_switches() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

struct Times {
    explicit Times(std::size_t steps) {
        wall.reserve(steps);
        cpu.reserve(steps);
        preemptions.reserve(steps);
    }
    std::vector<std::int64_t> wall, cpu, preemptions;
};

// The wall clock, which costs less to read, is read inside the others.
template <typename Step>
void time_step(Times& times, Step&& step) {
    const auto switches = involuntary_switches();
    const auto cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    const auto wall = nanoseconds(CLOCK_MONOTONIC);
    step();
    times.wall.push_back(nanoseconds(CLOCK_MONOTONIC) - wall);
    times.cpu.push_back(nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu);
    times.preemptions.push_back(involuntary_switches() - switches);
}

Times time_null_steps(Flow& flow, const Array& audio, std::size_t steps) {
    Times times(steps);
    for (std::size_t i = 0; i < steps; ++i)
        time_step(times, [&flow, frame = audio.row(i % audio.frames)] {
            for (Stage& stage : flow) {
                gather(stage, frame);
                null_process(stage.in.data(), stage.out.data());
            }
        });
    return times;
}

// Keeps the outputs of a step; true if they are those of the first cycle, bit by bit.
bool keep_and_compare(Flow& flow, std::size_t frame, bool first_cycle) {
    bool equal = true;
    for (Stage& stage : flow) {
        const std::size_t offset = frame * stage.out.size(), bytes = stage.out.size() * sizeof(float);
        float* const first = stage.first.values.data() + offset;
        if (first_cycle) std::memcpy(first, stage.out.data(), bytes);
        equal = std::memcmp(first, stage.out.data(), bytes) == 0 && equal;
        std::memcpy(stage.latest.values.data() + offset, stage.out.data(), bytes);
    }
    return equal;
}

// Times all steps, checks each one outside of its time, and counts those whose outputs differ.
Times time_steps(Flow& flow, const Array& audio, std::size_t steps, std::uint64_t& mismatches) {
    Times times(steps);
    for (std::size_t i = 0; i < steps; ++i) {
        const std::size_t frame = i % audio.frames;
        if (frame == 0)
            for (Stage& stage : flow) stage.model->reset();
        time_step(times, [&flow, row = audio.row(frame)] {
            for (Stage& stage : flow) {
                gather(stage, row);
                stage.model->process(stage.in.data(), stage.out.data(), 1);
            }
        });
        mismatches += keep_and_compare(flow, frame, i < audio.frames) ? 0 : 1;
    }
    return times;
}

std::vector<std::int64_t> without_first(const std::vector<std::int64_t>& times, std::size_t count) {
    return {times.begin() + static_cast<std::ptrdiff_t>(count), times.end()};
}

}  // namespace

// mismatches counts steps, those of the warm-up included.
Json Session::measure_latency(const Json& request) {
    const std::string where = "the request \"measure_latency\"";
    const Array audio = array_field(request, where, "audio");
    const std::size_t steps = integer_field(request, where, "steps", 1, max_steps);
    const std::size_t warmup = integer_field(request, where, "warmup", 0, max_steps);
    if (audio.frames == 0 || steps + warmup < audio.frames)
        throw BadRequest("Field \"audio\" of " + where + ": expected 1 to steps + warmup = " +
                         std::to_string(steps + warmup) + " frames, found " + std::to_string(audio.frames) + ".");
    Flow flow = read_flow(request, where, audio, [this](std::uint64_t id) -> Model& { return model_by_id(id); });

    const Times null_times = time_null_steps(flow, audio, std::min(steps, max_null_steps));
    std::uint64_t mismatches = 0;
    const Times times = time_steps(flow, audio, warmup + steps, mismatches);
    Json outputs = Json::object();
    for (const Stage& stage : flow)
        outputs[stage.name] = array_to_json(stage.latest.values.data(), stage.latest.frames, stage.latest.channels);
    return {{"wall_ns", without_first(times.wall, warmup)},
            {"cpu_ns", without_first(times.cpu, warmup)},
            {"preemptions", without_first(times.preemptions, warmup)},
            {"null_ns", null_times.wall},
            {"outputs", outputs},
            {"mismatches", mismatches}};
}

}  // namespace rtc::host
