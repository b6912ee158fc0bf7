// What is loaded in the models' places: the main thread's side of a pipeline.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "../model.h"
#include "faults.h"
#include "five_models.h"
#include "rtconform/pipeline.h"

namespace rtc_faulty {

// Models that take the places of others, all before the same frame. Afterwards it holds those others.
struct Swap {
    std::chrono::steady_clock::time_point offered_at;
    std::array<bool, model_count> is_new{};
    std::array<std::shared_ptr<rtc_model>, model_count> models;
    std::array<std::uint32_t, model_count> version{};

    bool is_empty() const { return is_new == decltype(is_new){}; }
};

class Places {
public:
    Places(std::string folder, PipelineFault fault) : folder_(std::move(folder)), fault_(fault) {}

    // Reads the files of one model, or of all. A file that is refused leaves its place out; *error is about the first.
    rtc_status load(std::uint32_t model, Swap& swap, rtc_error* error);

    // has_failed: it was taken out because of what it gave.
    void status(std::uint32_t model, bool has_failed, rtc_model_status* status) const;

private:
    std::shared_ptr<rtc_model> read(const FiveModel& model, bool is_first) const;
    std::shared_ptr<rtc_model> shared(const FiveModel& model) const;

    const std::string folder_;
    const PipelineFault fault_;
    std::array<std::uint32_t, model_count> version_{};
    std::array<std::string, model_count> reason_;
};

}  // namespace rtc_faulty
