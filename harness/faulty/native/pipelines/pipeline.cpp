#include "pipeline.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "../side_effects.h"

using rtc_faulty::PipelineFault;
using rtc_faulty::Swap;

namespace {

constexpr auto nap = std::chrono::microseconds(50);
constexpr std::size_t history_bytes = std::size_t{64} << 20, kept_bytes = std::size_t{8} << 20;
constexpr std::uint64_t now_and_then = 37;

}  // namespace

rtc_pipeline::rtc_pipeline(const char* folder, PipelineFault fault) : fault_(fault), places_(folder, fault) {
    rtc_error ignored{};
    Swap first;
    places_.load(RTC_ALL_MODELS, first, &ignored);
    for (std::size_t model = 0; model < rtc_faulty::model_count; ++model)
        if (first.is_new[model]) install(first, model);
    if (fault_ == PipelineFault::submit_touches_memory) history_.reset(new char[history_bytes]);
    if (fault_ == PipelineFault::keeps_8mb) {
        kept_.reset(new char[kept_bytes]);
        std::memset(kept_.get(), 1, kept_bytes);
    }
    if (fault_ == PipelineFault::leaks_thread) std::thread([] { for (;;) pause(); }).detach();
    if (fault_ == PipelineFault::changes_folder && chdir("/") != 0) throw std::runtime_error("the root can't be entered");
    worker_ = std::thread([this] { work(); });
}

rtc_pipeline::~rtc_pipeline() {
    while (fault_ == PipelineFault::close_waits_for_polls && pending() != 0) std::this_thread::sleep_for(nap);
    stop_ = true;
    worker_.join();
    delete offered_.load();
    delete returned_.load();
}

std::uint64_t rtc_pipeline::pending() const { return submitted_ - refused_ - polled_ - forgotten_; }

rtc_status rtc_pipeline::submit(std::uint64_t frame_id, const float* features) {
    const std::uint32_t room = fault_ == PipelineFault::refuses_early ? capacity / 2 : capacity;
    const bool is_full = pending() >= room;
    if (is_full && fault_ == PipelineFault::says_ok_when_full) return RTC_OK;
    ++submitted_;
    if (is_full) {
        ++refused_;
        return RTC_FULL;
    }
    Frame& frame = *frames_.room();
    frame.id = frame_id;
    std::copy_n(features, frame.features.size(), frame.features.begin());
    frames_.push();
    if (fault_ == PipelineFault::submit_leaks_fpenv) rtc_faulty::flush_denormals();
    misbehave_in_submit(features);
    return RTC_OK;
}

void rtc_pipeline::misbehave_in_submit(const float* features) {
    const std::uint64_t accepted = submitted_ - refused_;
    if (fault_ == PipelineFault::submit_waits)
        while (done_ < accepted) std::this_thread::sleep_for(nap);
    if (fault_ == PipelineFault::submit_spins)
        while (done_ < accepted) {
        }
    if (fault_ == PipelineFault::submit_allocates) {
        const std::vector<float> copy(features, features + rtc_faulty::frame_size);
        const volatile float first = copy.front();  // or the compiler sees that nobody wants it
        static_cast<void>(first);
    }
    if (fault_ == PipelineFault::submit_logs && accepted % now_and_then == 0) std::fprintf(stderr, "frame submitted\n");
    if (fault_ == PipelineFault::submit_wakes) {
        constexpr int futex_wake_private = 129;
        static std::uint32_t bell = 0;
        syscall(SYS_futex, &bell, futex_wake_private, 1, nullptr, nullptr, 0);
    }
    if (fault_ == PipelineFault::submit_touches_memory && history_end_ + sizeof(Frame) <= history_bytes) {
        std::memcpy(history_.get() + history_end_, features, rtc_faulty::frame_size * sizeof(float));
        history_end_ += sizeof(Frame);
    }
}

std::uint32_t rtc_pipeline::poll(rtc_pipeline_result* result) {
    const Result* from = results_.front();
    if (fault_ == PipelineFault::loses_results && from != nullptr && from->id % now_and_then == now_and_then - 1) {
        results_.pop();
        ++forgotten_;
        from = results_.front();
    }
    misbehave_in_poll(from != nullptr);
    if (from == nullptr) return 0;
    result->frame_id = from->id;
    std::copy(from->outputs.begin(), from->outputs.end(), result->outputs);
    std::copy(from->fallback.begin(), from->fallback.end(), result->fallback);
    std::copy(from->version.begin(), from->version.end(), result->version);
    const bool is_due_again = fault_ == PipelineFault::gives_results_twice && from->id % now_and_then == 5;
    if (is_due_again && std::exchange(repeated_, from->id) != from->id) return 1;
    results_.pop();
    ++polled_;
    return 1;
}

void rtc_pipeline::misbehave_in_poll(bool has_result) {
    if (fault_ == PipelineFault::poll_frees) delete returned_.exchange(nullptr);
    if (fault_ == PipelineFault::poll_locks) {
        const std::lock_guard<std::mutex> guard(lock_);
    }
    if (fault_ == PipelineFault::poll_throws && !has_result) {
        try {
            throw 1;
        } catch (int) {
        }
    }
}

rtc_status rtc_pipeline::reload(std::uint32_t model, rtc_error* error) {
    if (fault_ == PipelineFault::prints) std::puts("reloading");
    if (fault_ == PipelineFault::leaks_descriptor) static_cast<void>(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    auto swap = std::make_unique<Swap>();
    const rtc_status status = places_.load(model, *swap, error);
    if (!swap->is_empty()) offer(std::move(swap));
    return status;
}

// Returns when the worker has taken it, and what it took out is freed.
void rtc_pipeline::offer(std::unique_ptr<Swap> swap) {
    while (offered_ != nullptr) std::this_thread::sleep_for(nap);
    delete returned_.exchange(nullptr);
    swap->offered_at = std::chrono::steady_clock::now();
    offered_ = swap.release();
    if (fault_ == PipelineFault::poll_frees || fault_ == PipelineFault::swaps_late ||
        fault_ == PipelineFault::swaps_one_by_one)
        return;
    Swap* old = nullptr;
    while ((old = returned_.exchange(nullptr)) == nullptr) std::this_thread::sleep_for(nap);
    if (fault_ != PipelineFault::leaks_old_models) delete old;
    else new Swap(std::move(*old));
}

void rtc_pipeline::status(std::uint32_t model, rtc_model_status* status) const {
    places_.status(model, has_failed_[model], status);
}

void rtc_pipeline::counters(rtc_pipeline_counters* counters) const {
    *counters = {submitted_, refused_, polled_, pending()};
    if (fault_ == PipelineFault::miscounts) counters->submitted -= refused_;
}
