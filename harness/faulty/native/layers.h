// The layers, one frame at a time, in plain float32.
#pragma once

#include <memory>

#include "reader.h"

namespace rtc_faulty {

// Constructed on the main thread; run and reset allocate nothing.
class Layer {
public:
    virtual ~Layer() = default;
    virtual void run(const float* in, float* out) = 0;
    virtual void reset() {}
};

// index is the layer's place in its model.
std::unique_ptr<Layer> make_layer(LayerSpec spec, std::size_t index, Fault fault);

}  // namespace rtc_faulty
