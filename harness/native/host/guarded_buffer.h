// A buffer of floats that ends exactly where unreadable memory begins.
#pragma once

#include <cstddef>

namespace rtc::host {

// Reading or writing one float too far is a crash, not a lucky hit. The start has the alignment of float and, as a
// rule, no more; the bytes in front of it are filled with a pattern.
class GuardedBuffer {
public:
    // Filled with NaN, so that an output that is never written shows.
    explicit GuardedBuffer(std::size_t floats);
    ~GuardedBuffer();
    GuardedBuffer(const GuardedBuffer&) = delete;
    GuardedBuffer& operator=(const GuardedBuffer&) = delete;

    float* data() const { return data_; }

    // From now on writing to it is a crash too.
    void make_read_only();

    // False if something was written in front of the first float.
    bool front_untouched() const;

private:
    std::size_t payload_pages_bytes_;
    std::size_t mapped_bytes_;
    unsigned char* base_;
    float* data_;
};

}  // namespace rtc::host
