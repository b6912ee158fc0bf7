// All layers but the convolutions. Each is made in two steps: its places in an arena, then its weights.
#pragma once

#include "layer.h"

namespace rtconform::compact
{

class Dense : public Layer
{
public:
    Dense(Setting setting, const format::Dense& layer);
    void fill(const format::Dense& layer);
    void process(const float* x, float* y) noexcept override;

private:
    const Kernels& kernels_;
    const format::Activation activation_;
    Product product_;
    float* bias_;
};

class Lstm : public Layer
{
public:
    Lstm(Setting setting, const format::Lstm& layer);
    void fill(const format::Lstm& layer);
    void reset() noexcept override;
    void process(const float* x, float* y) noexcept override;

private:
    const Kernels& kernels_;
    Product kernel_, recurrent_;
    float *bias_, *gates_, *c_, *h_;
};

class Gru : public Layer
{
public:
    Gru(Setting setting, const format::Gru& layer);
    void fill(const format::Gru& layer);
    void reset() noexcept override;
    void process(const float* x, float* y) noexcept override;

private:
    const Kernels& kernels_;
    Product kernel_, recurrent_;
    float *input_bias_, *state_bias_, *from_input_, *from_state_, *h_;
};

class Prelu : public Layer
{
public:
    Prelu(Setting setting, const format::Prelu& layer);
    void fill(const format::Prelu& layer);
    void process(const float* x, float* y) noexcept override;

private:
    const Kernels& kernels_;
    float* slopes_;
};

class BatchNorm : public Layer
{
public:
    BatchNorm(Setting setting, const format::BatchNorm& layer);
    void fill(const format::BatchNorm& layer);
    void process(const float* x, float* y) noexcept override;

private:
    const Kernels& kernels_;
    float *factors_, *means_, *shifts_;
};

class Activation : public Layer
{
public:
    Activation(Setting setting, const format::ActivationLayer& layer);
    void fill(const format::ActivationLayer&) { }
    void process(const float* x, float* y) noexcept override;

private:
    const Kernels& kernels_;
    const format::Activation activation_;
};

} // namespace rtconform::compact
