#include "audio_thread.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "../probe/ledger.h"
#include "../probe/pretouch.h"
#include "../probe/watch.h"
#include "digest.h"
#include "machine.h"
#include "offences.h"

namespace rtc::host {
namespace {

// Without a result, after which those that are due are lost. A busy machine keeps a worker waiting for seconds.
constexpr std::int64_t patience_ns = 10'000'000'000;
constexpr std::int64_t last_look_ns = 10'000'000;    // after which nothing more may come
constexpr std::size_t surplus_room = 64;             // for results that nobody asked for
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t ns_per_second = 1'000'000'000;

void sleep_until(std::int64_t time) {
    const timespec until{time / ns_per_second, time % ns_per_second};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

// One call: its wall and processor time, and how often it waited.
struct Call {
    std::uint64_t wall, cpu, waits;
};

template <typename Function>
Call timed(bool watch, std::uint64_t number, Function&& function) {
    const Switches before = Switches::now();
    const std::int64_t cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    const std::int64_t wall = nanoseconds(CLOCK_MONOTONIC);
    if (watch) {
        const probe::Watched watched(number);
        function();
    } else {
        function();
    }
    const std::int64_t wall_after = nanoseconds(CLOCK_MONOTONIC);
    const std::int64_t cpu_after = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    const auto since = [](std::int64_t from, std::int64_t to) { return static_cast<std::uint64_t>(to - from); };
    return {since(wall, wall_after), since(cpu, cpu_after), since(before.voluntary, Switches::now().voluntary)};
}

}  // namespace

AudioThread::AudioThread(Pipeline& pipeline, AudioPlan plan)
    : pipeline_(pipeline),
      plan_(std::move(plan)),
      features_(plan_.frames.values.size()),
      result_(pipeline.places()),
      room_(plan_.count + surplus_room) {
    std::copy(plan_.frames.values.begin(), plan_.frames.values.end(), features_.data());
    features_.make_read_only();
    for (auto* each : {&record_.submit_at, &record_.submit_wall, &record_.submit_cpu, &record_.submit_waits,
                       &record_.accepted})
        each->resize(plan_.count);
    for (auto* each : {&record_.ids, &record_.result_at, &record_.poll_cpu}) each->resize(room_);
    const std::size_t models = pipeline.places().size();
    for (auto* each : {&record_.fallback, &record_.version}) each->resize(room_ * models);
    if (plan_.keep_outputs) record_.outputs.resize(room_ * pipeline.outputs());
    else record_.digests.resize(room_ * models);
}

AudioThread::~AudioThread() {
    if (thread_.joinable()) thread_.join();
}

// Returns when the thread is at its first frame.
void AudioThread::start() {
    thread_ = std::thread([this] { run(); });
    while (!ready_) std::this_thread::yield();
    start_ = nanoseconds(CLOCK_MONOTONIC);
    go_ = true;
}

std::int64_t AudioThread::now() const { return nanoseconds(CLOCK_MONOTONIC) - start_; }

void AudioThread::run() {
    probe::ledger::leave_out_this_thread();
    try {
        std::optional<probe::Detectors> detectors;
        if (plan_.watch) {
            detectors.emplace();
            probe::touch_what_hosts_touch();
        }
        ready_ = true;
        while (!go_) std::this_thread::yield();
        {
            const RealTime real_time(audio_priority);
            record_.real_time = real_time.granted();
            run_frames();
        }
        if (detectors) {
            record_.unseen = unseen_to_json(*detectors);
            record_.system_call_trap = detectors->system_call_trap();
        }
    } catch (...) {
        failure_ = std::current_exception();
    }
    ended_ = true;
}

void AudioThread::run_frames() {
    std::int64_t next_poll = 0;
    for (;;) {
        const std::int64_t time = now();
        const bool is_over = submitted_ == plan_.count || (is_enough_ && submitted_ >= plan_.least_count);
        const bool has_room = plan_.most_pending == 0 || pending_ < plan_.most_pending;
        const std::int64_t due =
            !is_over && has_room ? static_cast<std::int64_t>(submitted_) * plan_.period_ns : never;
        if (due <= time) submit();
        if (next_poll <= time) {
            poll_all();
            next_poll = now() + plan_.poll_every_ns;
        }
        const bool is_lost = pending_ != 0 && due == never && now() - waiting_since_ > patience_ns;
        if (results_ == room_ || (is_over && pending_ == 0) || is_lost) break;
        if (due > time) sleep_until(start_ + std::min(due, next_poll));
    }
    sleep_until(start_ + now() + last_look_ns);
    poll_all();
}

void AudioThread::submit() {
    const std::uint64_t id = plan_.first_id + submitted_;
    const float* const features = features_.data() + id % plan_.frames.frames * plan_.frames.channels;
    bool is_accepted = false;
    const std::int64_t time = now();
    const Call call = timed(plan_.watch, calls_++, [&] { is_accepted = pipeline_.submit(id, features); });
    record_.submit_at[submitted_] = static_cast<std::uint64_t>(time);
    record_.submit_wall[submitted_] = call.wall;
    record_.submit_cpu[submitted_] = call.cpu;
    record_.submit_waits[submitted_] = call.waits;
    record_.accepted[submitted_] = is_accepted;
    ++submitted_;
    if (pending_ == 0) waiting_since_ = time;
    pending_ += is_accepted;
}

void AudioThread::poll_all() {
    for (bool has_one = true; has_one && results_ < room_;) {
        const Call call = timed(plan_.watch, calls_++, [&] { has_one = pipeline_.poll(result_); });
        ++record_.polls;
        record_.poll_waits += call.waits;
        record_.poll_wall_max = std::max(record_.poll_wall_max, call.wall);
        if (has_one) keep_result(call.cpu);
    }
}

void AudioThread::keep_result(std::uint64_t poll_cpu) {
    waiting_since_ = now();
    record_.ids[results_] = result_.frame_id;
    record_.result_at[results_] = static_cast<std::uint64_t>(waiting_since_);
    record_.poll_cpu[results_] = poll_cpu;
    const std::size_t models = pipeline_.places().size();
    const float* of_model = result_.outputs.data();
    for (std::size_t model = 0; model < models; ++model) {
        record_.fallback[results_ * models + model] = result_.fallback[model];
        record_.version[results_ * models + model] = result_.version[model];
        const std::uint32_t size = pipeline_.places()[model].output_size;
        if (!plan_.keep_outputs) record_.digests[results_ * models + model] = digest(of_model, size);
        of_model += size;
    }
    if (plan_.keep_outputs)
        std::copy(result_.outputs.begin(), result_.outputs.end(),
                  record_.outputs.begin() + static_cast<std::ptrdiff_t>(results_ * pipeline_.outputs()));
    ++results_;
    pending_ -= pending_ > 0;  // there may be results that nobody asked for
}

// With as many entries as there were frames and results.
AudioRecord& AudioThread::take() {
    if (thread_.joinable()) thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    for (auto* each : {&record_.submit_at, &record_.submit_wall, &record_.submit_cpu, &record_.submit_waits,
                       &record_.accepted})
        each->resize(submitted_);
    for (auto* each : {&record_.ids, &record_.result_at, &record_.poll_cpu}) each->resize(results_);
    const std::size_t models = pipeline_.places().size();
    for (auto* each : {&record_.fallback, &record_.version}) each->resize(results_ * models);
    if (plan_.keep_outputs) record_.outputs.resize(results_ * pipeline_.outputs());
    else record_.digests.resize(results_ * models);
    return record_;
}

}  // namespace rtc::host
