// A pipeline: a queue to a worker thread, a queue back, and models that are swapped between two frames.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "places.h"
#include "ring.h"

struct rtc_pipeline {
    static constexpr std::uint32_t capacity = 32;

    rtc_pipeline(const char* folder, rtc_faulty::PipelineFault fault);
    ~rtc_pipeline();

    // The audio thread's.
    rtc_status submit(std::uint64_t frame_id, const float* features);
    std::uint32_t poll(rtc_pipeline_result* result);

    // The main thread's.
    rtc_status reload(std::uint32_t model, rtc_error* error);
    void status(std::uint32_t model, rtc_model_status* status) const;
    void counters(rtc_pipeline_counters* counters) const;

private:
    struct Frame {
        std::uint64_t id = 0;
        std::array<float, rtc_faulty::frame_size> features{};
    };
    struct Result {
        std::uint64_t id = 0;
        std::array<float, rtc_faulty::output_total> outputs{};
        std::array<std::uint8_t, rtc_faulty::model_count> fallback{};
        std::array<std::uint32_t, rtc_faulty::model_count> version{};
    };

    std::uint64_t pending() const;
    void misbehave_in_submit(const float* features);
    void misbehave_in_poll(bool has_result);
    void offer(std::unique_ptr<rtc_faulty::Swap> swap);

    void work();
    void take_swap();
    void install(rtc_faulty::Swap& swap, std::size_t model);
    void run_step(const Frame& frame, Result& result);
    bool run_model(std::size_t model, const Frame& frame, Result& result);

    const rtc_faulty::PipelineFault fault_;
    // One more than can be pending: a frame may be counted as done a moment before its slot is free.
    rtc_faulty::Ring<Frame> frames_{capacity + 1};
    rtc_faulty::Ring<Result> results_{capacity + 1};
    std::atomic<std::uint64_t> submitted_{0}, refused_{0}, polled_{0};
    std::atomic<std::uint64_t> done_{0};       // frames that the worker has finished
    std::atomic<std::uint64_t> forgotten_{0};  // and those that it has lost
    std::uint64_t repeated_ = 0;

    rtc_faulty::Places places_;
    std::atomic<rtc_faulty::Swap*> offered_{nullptr}, returned_{nullptr};
    std::array<std::atomic<bool>, rtc_faulty::model_count> has_failed_{};

    // The worker's.
    std::array<std::shared_ptr<rtc_model>, rtc_faulty::model_count> playing_;
    std::array<std::uint32_t, rtc_faulty::model_count> version_{};
    std::array<float, rtc_faulty::frame_size> inputs_{};

    std::mutex lock_;
    std::unique_ptr<char[]> history_, kept_;
    std::size_t history_end_ = 0;
    std::atomic<bool> stop_{false};
    std::thread worker_;
};
