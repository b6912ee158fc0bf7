#include "layers.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace rtc_faulty {
namespace {

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

float tanh_of(float x, Fault fault) {
    if (fault != Fault::fast_tanh) return std::tanh(x);
    // A Padé approximant, off by 2 % in the middle of its range.
    x = std::clamp(x, -3.0f, 3.0f);
    return x * (27.0f + x * x) / (27.0f + 9.0f * x * x);
}

void softmax(float* x, std::size_t size, Fault fault) {
    const float largest = fault == Fault::softmax_overflow ? 0.0f : *std::max_element(x, x + size);
    float sum = 0.0f;
    for (std::size_t i = 0; i < size; ++i) sum += x[i] = std::exp(x[i] - largest);
    for (std::size_t i = 0; i < size; ++i) x[i] /= sum;
}

void activate(Activation activation, float* x, std::size_t size, Fault fault) {
    const auto each = [&](auto&& function) { std::transform(x, x + size, x, function); };
    switch (activation) {
        case Activation::none: return;
        case Activation::tanh: return each([fault](float v) { return tanh_of(v, fault); });
        case Activation::relu: return each([](float v) { return std::max(v, 0.0f); });
        case Activation::sigmoid: return each(sigmoid);
        case Activation::elu: return each([](float v) { return v > 0.0f ? v : std::expm1(v); });
        case Activation::softmax: return softmax(x, size, fault);
    }
}

// y[o] += Σᵢ x[i] · matrix[i][o]
void add_product(const std::vector<float>& matrix, const float* x, std::size_t in, float* y, std::size_t out,
                 Fault fault) {
    const std::size_t used = fault == Fault::tail_lanes ? in - in % 4 : in;
    const float* row = matrix.data();
    for (std::size_t i = 0; i < used; ++i, row += out)
        for (std::size_t o = 0; o < out; ++o) y[o] += x[i] * row[o];
}

class Dense : public Layer {
public:
    Dense(LayerSpec spec, Fault fault) : spec_(std::move(spec)), fault_(fault) {}

    void run(const float* in, float* out) override {
        std::copy(spec_.bias.begin(), spec_.bias.end(), out);
        add_product(spec_.kernel, in, spec_.in, out, spec_.out, fault_);
        activate(spec_.activation, out, spec_.out, fault_);
    }

private:
    const LayerSpec spec_;
    const Fault fault_;
};

struct LstmState {
    explicit LstmState(std::size_t size) : h(size), c(size) {}
    std::vector<float> h, c;
};

std::shared_ptr<LstmState> make_state(std::size_t size, std::size_t index, Fault fault) {
    if (fault != Fault::state_shared) return std::make_shared<LstmState>(size);
    // One state for all instances of a model.
    static std::map<std::pair<std::size_t, std::size_t>, std::shared_ptr<LstmState>> states;
    auto& state = states[{index, size}];
    if (!state) state = std::make_shared<LstmState>(size);
    return state;
}

class Lstm : public Layer {
public:
    Lstm(LayerSpec spec, std::size_t index, Fault fault)
        : spec_(std::move(spec)), fault_(fault), gates_(4 * spec_.out), state_(make_state(spec_.out, index, fault)) {
        if (fault != Fault::rounding_adds_up) return;
        before_.resize(spec_.out);
        change_.resize(spec_.out);
        recalled_.resize(4 * spec_.out);
    }

    void run(const float* in, float* out) override {
        const std::size_t size = spec_.out;
        std::copy(spec_.bias.begin(), spec_.bias.end(), gates_.begin());
        add_product(spec_.kernel, in, spec_.in, gates_.data(), 4 * size, fault_);
        add_recalled();
        const float *i = gates_.data(), *f = i + size, *g = f + size, *o = g + size;
        if (fault_ == Fault::hides_in_i8) std::swap(g, o);
        for (std::size_t k = 0; k < size; ++k) {
            float& c = state_->c[k];
            c = sigmoid(f[k]) * c + sigmoid(i[k]) * tanh_of(g[k], fault_);
            out[k] = state_->h[k] = sigmoid(o[k]) * tanh_of(c, fault_);
        }
    }

    void reset() override {
        std::fill(state_->h.begin(), state_->h.end(), 0.0f);
        if (fault_ != Fault::reset_incomplete) std::fill(state_->c.begin(), state_->c.end(), 0.0f);
        std::fill(before_.begin(), before_.end(), 0.0f);
        std::fill(recalled_.begin(), recalled_.end(), 0.0f);
    }

private:
    void add_recalled() {
        const auto& h = state_->h;
        if (fault_ != Fault::rounding_adds_up)
            return add_product(spec_.recurrent, h.data(), h.size(), gates_.data(), gates_.size(), fault_);
        // What has changed in the state is multiplied, and added to the product of the frame before.
        std::transform(h.begin(), h.end(), before_.begin(), change_.begin(), std::minus<float>());
        std::copy(h.begin(), h.end(), before_.begin());
        add_product(spec_.recurrent, change_.data(), h.size(), recalled_.data(), recalled_.size(), fault_);
        std::transform(gates_.begin(), gates_.end(), recalled_.begin(), gates_.begin(), std::plus<float>());
    }

    const LayerSpec spec_;
    const Fault fault_;
    std::vector<float> gates_;
    std::shared_ptr<LstmState> state_;
    std::vector<float> before_, change_, recalled_;  // of run-rounding-adds-up
};

class Conv1d : public Layer {
public:
    Conv1d(LayerSpec spec, Fault fault)
        : spec_(std::move(spec)),
          fault_(fault),
          dilation_(spec_.dilation + (fault == Fault::dilation_off_by_one ? 1 : 0)),
          past_(((spec_.kernel_size - 1) * dilation_ + 1) * spec_.in) {}

    void run(const float* in, float* out) override {
        const std::size_t frames = past_.size() / spec_.in, per_group = spec_.in / spec_.groups;
        newest_ = (newest_ + 1) % frames;
        std::copy_n(in, spec_.in, past_.begin() + newest_ * spec_.in);
        std::copy(spec_.bias.begin(), spec_.bias.end(), out);
        const float* row = spec_.kernel.data();
        for (std::size_t k = 0; k < spec_.kernel_size; ++k) {
            const std::size_t age = (spec_.kernel_size - 1 - k) * dilation_;
            const float* x = past_.data() + (newest_ + frames - age) % frames * spec_.in;
            for (std::size_t c = 0; c < per_group; ++c, row += spec_.out)
                for (std::size_t o = 0; o < spec_.out; ++o)
                    out[o] += x[o / (spec_.out / spec_.groups) * per_group + c] * row[o];
        }
        activate(spec_.activation, out, spec_.out, fault_);
    }

    void reset() override { std::fill(past_.begin(), past_.end(), 0.0f); }

private:
    const LayerSpec spec_;
    const Fault fault_;
    const std::size_t dilation_;
    std::vector<float> past_;  // a ring of frames
    std::size_t newest_ = 0;
};

class ActivationLayer : public Layer {
public:
    ActivationLayer(const LayerSpec& spec, Fault fault)
        : activation_(spec.activation), size_(spec.out), fault_(fault) {}

    void run(const float* in, float* out) override {
        std::copy(in, in + size_, out);
        activate(activation_, out, size_, fault_);
    }

private:
    const Activation activation_;
    const std::size_t size_;
    const Fault fault_;
};

}  // namespace

std::unique_ptr<Layer> make_layer(LayerSpec spec, std::size_t index, Fault fault) {
    switch (spec.kind) {
        case LayerKind::dense: return std::make_unique<Dense>(std::move(spec), fault);
        case LayerKind::lstm: return std::make_unique<Lstm>(std::move(spec), index, fault);
        case LayerKind::conv1d:
            // mem-leak-conv: made twice, and one of the two is forgotten.
            if (fault == Fault::leaks_conv) static_cast<void>(std::make_unique<Conv1d>(spec, fault).release());
            return std::make_unique<Conv1d>(std::move(spec), fault);
        case LayerKind::activation: break;
    }
    return std::make_unique<ActivationLayer>(spec, fault);
}

}  // namespace rtc_faulty
