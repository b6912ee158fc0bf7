#include "model.h"

#include <stdexcept>

#include "cross.h"
#include "refusal.h"

namespace rtc {

Model::Model(const rtc_loader& loader, const std::string& path) : loader_(loader) {
    rtc_error error{};
    const rtc_status status = cross("load", [&] { return loader_.load(path.c_str(), &model_, &error); });
    if (status != RTC_OK) {
        if (model_ != nullptr) throw ContractBreach("load() refused the file but left *model set.");
        throw refusal("load", error);
    }
    if (model_ == nullptr) throw ContractBreach("load() returned RTC_OK without a model.");
    input_size_ = cross("input_size", [&] { return loader_.input_size(model_); });
    output_size_ = cross("output_size", [&] { return loader_.output_size(model_); });
    if (input_size_ == 0 || output_size_ == 0) {
        cross("unload", [&] { loader_.unload(model_); });
        throw ContractBreach("load() returned a model with input_size " + std::to_string(input_size_) +
                             " and output_size " + std::to_string(output_size_) + "; both must be at least 1.");
    }
}

Model::~Model() {
    // An exception out of unload ends the program, which the parent process reports as a crash.
    const Boundary boundary;
    loader_.unload(model_);
}

void Model::prepare(std::uint32_t max_frames) {
    if (max_frames_ != 0) throw std::invalid_argument("The model is prepared already; prepare is called once.");
    if (max_frames < 1 || max_frames > max_block)
        throw std::invalid_argument("max_frames must be 1 to " + std::to_string(max_block) + ", found " +
                                    std::to_string(max_frames) + ".");
    rtc_error error{};
    const rtc_status status = cross("prepare", [&] { return loader_.prepare(model_, max_frames, &error); });
    if (status != RTC_OK) throw refusal("prepare", error);
    max_frames_ = max_frames;
}

void Model::reset() {
    if (max_frames_ == 0) throw std::invalid_argument("The model isn't prepared; call prepare before reset.");
    cross("reset", [&] { loader_.reset(model_); });
}

void Model::process(const float* in, float* out, std::uint32_t frames) {
    if (max_frames_ == 0) throw std::invalid_argument("The model isn't prepared; call prepare before process.");
    if (frames > max_frames_)
        throw std::invalid_argument("The model is prepared for blocks of up to " + std::to_string(max_frames_) +
                                    " frames, found " + std::to_string(frames) + ".");
    cross("process", [&] { loader_.process(model_, in, out, frames); });
}

}  // namespace rtc
