// The faults that change no number: what a loader does beside computing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "faults.h"
#include "reader.h"

namespace rtc_faulty {

// Turns flush-to-zero on, on this thread.
void flush_denormals();

// At the start of each load.
void before_load(Fault fault, const char* path);

// When a file has been refused.
void after_refusal(Fault fault);

// Once per model, before each block that it processes, and in reset.
class SideEffects {
public:
    explicit SideEffects(Fault fault);
    ~SideEffects();
    SideEffects(const SideEffects&) = delete;
    SideEffects& operator=(const SideEffects&) = delete;

    void after_load(Json file);
    void prepare(std::size_t max_frames, std::size_t input_size);

    // Returns the input frames to use.
    const float* before_block(const float* in, std::size_t frames, std::size_t input_size);
    void in_reset();
    void in_empty_block();

private:
    bool allocates_for(const float* in, std::size_t frames, std::size_t floats);

    const Fault fault_;
    std::string path_;
    std::vector<char> kept_;
    void* mapping_ = nullptr;
    volatile char* fresh_ = nullptr;
    std::unique_ptr<Json> file_;
    std::unique_ptr<char[]> in_blocks_;
    std::unique_ptr<float[]> made_in_first_block_;
    std::vector<float> made_in_each_block_;
    std::vector<float>* shared_block_ = nullptr;
    std::uint64_t frames_ = 0;
    std::uint64_t calls_ = 0;
    bool was_reset_ = false;
};

}  // namespace rtc_faulty
