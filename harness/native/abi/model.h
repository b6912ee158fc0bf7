// A model that a loader has loaded, with the order of calls that loader.h demands.
#pragma once

#include <cstdint>
#include <string>

#include "rtconform/loader.h"

namespace rtc {

// load in the constructor, unload in the destructor. Calls on one model must not overlap.
// Every call throws ContractBreach if the library breaks loader.h in a way that the caller can see.
class Model {
public:
    static constexpr std::uint32_t max_block = 4096;

    // Throws Refusal if the loader refuses the file.
    Model(const rtc_loader& loader, const std::string& path);
    ~Model();
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    std::uint32_t input_size() const { return input_size_; }
    std::uint32_t output_size() const { return output_size_; }
    std::uint32_t max_frames() const { return max_frames_; }  // 0 before prepare

    // Throws Refusal, and std::invalid_argument if max_frames isn't in 1..max_block or prepare was called before.
    void prepare(std::uint32_t max_frames);

    // Both throw std::invalid_argument before prepare; process also for more frames than were prepared.
    void reset();
    void process(const float* in, float* out, std::uint32_t frames);

private:
    const rtc_loader& loader_;
    rtc_model* model_ = nullptr;
    std::uint32_t input_size_ = 0;
    std::uint32_t output_size_ = 0;
    std::uint32_t max_frames_ = 0;
};

}  // namespace rtc
