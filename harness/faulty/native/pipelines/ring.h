// A queue from one thread to one other that neither waits nor allocates.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rtc_faulty {

// All slots are written to when it is made, so that no page of it is touched for the first time later.
template <typename Slot>
class Ring {
public:
    explicit Ring(std::size_t capacity) : slots_(capacity) {}

    // The writer's: the slot that push will publish, or nullptr if all are taken.
    Slot* room() {
        const auto pushed = pushed_.load(std::memory_order_relaxed);
        return pushed - popped_.load(std::memory_order_acquire) < slots_.size() ? &slots_[pushed % slots_.size()]
                                                                               : nullptr;
    }
    void push() { pushed_.store(pushed_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

    // The reader's: the oldest slot, or nullptr if there is none.
    Slot* front() {
        const auto popped = popped_.load(std::memory_order_relaxed);
        return pushed_.load(std::memory_order_acquire) != popped ? &slots_[popped % slots_.size()] : nullptr;
    }
    void pop() { popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

    // Anybody's; a moment old.
    bool is_empty() const { return pushed_.load() == popped_.load(); }

private:
    std::vector<Slot> slots_;
    alignas(64) std::atomic<std::uint64_t> pushed_{0};
    alignas(64) std::atomic<std::uint64_t> popped_{0};
};

}  // namespace rtc_faulty
