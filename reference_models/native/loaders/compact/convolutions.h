// Convolutions: what a filter sees is gathered into one row, and multiplied with a kernel like any other.
#pragma once

#include "layer.h"

#include <vector>

namespace rtconform::compact
{

/** The last frames, a fixed number of them. */
class History
{
public:
    /** Frames of `size` floats, of which the last `frames` can be had. */
    History(Arena& arena, uint32_t size, uint32_t frames)
        : size_ { size }, frames_ { frames }, values_ { arena.take<float>(size_t { size } * frames) }
    {
    }

    void reset() noexcept;

    /** Room for the next frame; what was there is the oldest. */
    float* next() noexcept
    {
        newest_ = newest_ + 1 == frames_ ? 0 : newest_ + 1;
        return values_ + size_t { newest_ } * size_;
    }

    /** The frame that came so many before the newest. */
    const float* before(uint32_t age) const noexcept
    {
        return values_ + size_t { newest_ >= age ? newest_ - age : newest_ + frames_ - age } * size_;
    }

private:
    const uint32_t size_, frames_;
    uint32_t newest_ = 0;
    float* values_;
};

class Conv1d : public Layer
{
public:
    Conv1d(Setting setting, const format::Conv1d& layer);
    void fill(const format::Conv1d& layer);
    void reset() noexcept override { history_.reset(); }
    void process(const float* x, float* y) noexcept override;

private:
    const Kernels& kernels_;
    const format::Activation activation_;
    const uint32_t taps_, dilation_, group_inputs_, group_outputs_;
    std::vector<Product> products_; // one per group
    History history_;
    float *biases_, *row_, *outputs_; // biases and outputs of each group padded
};

class Conv2d : public Layer
{
public:
    Conv2d(Setting setting, const format::Conv2d& layer);
    void fill(const format::Conv2d& layer);
    void reset() noexcept override { history_.reset(); }
    void process(const float* x, float* y) noexcept override;

private:
    const Kernels& kernels_;
    const format::Activation activation_;
    const uint32_t taps_, dilation_, filters_out_;
    const uint32_t before_, frame_;    // zeros in front of the features, and floats of a padded frame
    const uint32_t width_, step_;      // floats of a frame that a filter sees, and from one place to the next
    Product product_;
    History history_; // of padded frames
    float *bias_, *row_, *outputs_;
};

} // namespace rtconform::compact
