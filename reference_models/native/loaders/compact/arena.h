// One aligned block of memory for everything that a model holds: its weights, its state and its buffers.
#pragma once

#include <cstddef>

namespace rtconform::compact
{

/** Hands out places in a block, each at the beginning of a cache line. Without a block it only adds up how large one has
    to be, and all places are null. */
class Arena
{
public:
    static constexpr size_t alignment = 64;

    explicit Arena(std::byte* block = nullptr) : block_ { block } { }

    template <typename Value>
    Value* take(size_t count)
    {
        const auto begin = used_;
        used_ += (count * sizeof(Value) + alignment - 1) / alignment * alignment;
        return block_ == nullptr ? nullptr : reinterpret_cast<Value*>(block_ + begin);
    }

    /** Bytes that were handed out. */
    size_t used() const { return used_; }

private:
    std::byte* block_;
    size_t used_ = 0;
};

} // namespace rtconform::compact
