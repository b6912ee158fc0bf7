// A pipeline that is open, with what pipeline.h demands of its answers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "errors.h"
#include "rtconform/pipeline.h"

namespace rtc {

// The places of a pipeline's models, as they stand in a result.
struct Place {
    std::string name;
    std::uint32_t output_size;
};

// One result and the memory that it is written to.
struct Result {
    explicit Result(const std::vector<Place>& places);

    std::uint64_t frame_id = 0;
    std::vector<float> outputs;  // of all models one behind the other
    std::vector<std::uint8_t> fallback;
    std::vector<std::uint32_t> version;
};

struct ModelStatus {
    const char* state;  // "loaded", "fallback" or "disabled"
    std::uint32_t version;
    std::string reason;
};

// open in the constructor, close in the destructor. submit and poll belong to one thread, the rest to another.
// Every call throws ContractBreach if the library breaks pipeline.h in a way that the caller can see.
class Pipeline {
public:
    // Throws Refusal if no pipeline can be had.
    Pipeline(const rtc_pipeline_api& api, const std::string& models_dir);
    ~Pipeline();
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    std::uint32_t frame_size() const { return frame_size_; }
    std::uint32_t capacity() const { return capacity_; }
    const std::vector<Place>& places() const { return places_; }
    std::size_t outputs() const { return outputs_; }  // floats of a result

    // True, or false where there was no room. Allocates nothing unless it throws, and neither does poll.
    bool submit(std::uint64_t frame_id, const float* features);

    // False if there was no result.
    bool poll(Result& result);

    // nullptr, or what was said of the first file that was refused. RTC_ALL_MODELS for all.
    std::unique_ptr<Refusal> reload(std::uint32_t model);
    ModelStatus status(std::uint32_t model) const;
    rtc_pipeline_counters counters() const;

private:
    const rtc_pipeline_api& api_;
    rtc_pipeline* pipeline_ = nullptr;
    std::uint32_t frame_size_ = 0, capacity_ = 0;
    std::vector<Place> places_;
    std::size_t outputs_ = 0;
};

}  // namespace rtc
