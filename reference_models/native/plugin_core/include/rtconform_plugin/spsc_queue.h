// A bounded queue between two threads: one puts in, the other takes out, and neither ever waits.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

namespace rtconform::plugin
{

/** Wait-free for one producer and one consumer. All memory is taken, and touched, by the constructor.

    Values are filled and read where they lie: back() and push() for the producer, front() and pop() for the consumer. */
template <typename T>
class SpscQueue
{
public:
    /** Room for `capacity` values. [main-thread] */
    explicit SpscQueue(size_t capacity) : slots_(capacity + 1) { }

    /** The slot to fill next, or nullptr if the queue is full. [producer] */
    T* back() noexcept
    {
        const auto end = end_.load(std::memory_order_relaxed);
        return after(end) == begin_.load(std::memory_order_acquire) ? nullptr : &slots_[end];
    }

    /** Hands over what was written to back(), which must not have been nullptr. [producer] */
    void push() noexcept { end_.store(after(end_.load(std::memory_order_relaxed)), std::memory_order_release); }

    /** The oldest value, or nullptr if there is none. [consumer] */
    T* front() noexcept
    {
        const auto begin = begin_.load(std::memory_order_relaxed);
        return begin == end_.load(std::memory_order_acquire) ? nullptr : &slots_[begin];
    }

    /** Gives the slot of front(), which must not have been nullptr, back to the producer. [consumer] */
    void pop() noexcept { begin_.store(after(begin_.load(std::memory_order_relaxed)), std::memory_order_release); }

private:
    size_t after(size_t place) const noexcept { return place + 1 == slots_.size() ? 0 : place + 1; }

    // Each on a cache line of its own, or the threads would take it from each other at every value.
    static constexpr size_t line = 64;
    std::vector<T> slots_; // one more than the capacity, so that full and empty differ
    alignas(line) std::atomic<size_t> begin_ { 0 };
    alignas(line) std::atomic<size_t> end_ { 0 };
};

} // namespace rtconform::plugin
