// The faults of time: what a block costs, and when, and the outputs of who is called fast.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "faults.h"

namespace rtc_faulty {

// Once per model, around each block that it processes, and in reset.
class Delays {
public:
    explicit Delays(Fault fault);
    ~Delays();
    Delays(const Delays&) = delete;
    Delays& operator=(const Delays&) = delete;

    void prepare();
    void before_block(const float* in, std::size_t frames, std::size_t input_size);
    void after_block(float* out, std::size_t floats);
    void in_reset();

private:
    const Fault fault_;
    const std::thread::id made_by_ = std::this_thread::get_id();
    std::set<std::vector<float>> remembered_;
    std::uint64_t calls_ = 0, frames_ = 0;
    std::uint64_t calls_in_quick_succession_ = 0;
    std::int64_t last_call_ns_ = 0;
    std::int64_t block_began_ns_ = 0;
    std::uint64_t frames_before_reset_ = 0, frames_since_reset_ = 0;
    bool is_reload_ = false, had_large_block_ = false, is_dear_ = false;
};

}  // namespace rtc_faulty
