#include "guarded_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace rtc::host {
namespace {

// As a float this byte four times over is a NaN, so one fill serves as pattern and as "never written".
constexpr unsigned char pattern = 0xFF;

}  // namespace

GuardedBuffer::GuardedBuffer(std::size_t floats) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = floats * sizeof(float);
    payload_pages_bytes_ = (bytes + page - 1) / page * page;
    mapped_bytes_ = payload_pages_bytes_ + page;
    void* mapping = mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<unsigned char*>(mapping);
    if (payload_pages_bytes_ != 0 && mprotect(base_, payload_pages_bytes_, PROT_READ | PROT_WRITE) != 0) {
        munmap(base_, mapped_bytes_);
        throw std::bad_alloc();
    }
    std::memset(base_, pattern, payload_pages_bytes_);
    data_ = reinterpret_cast<float*>(base_ + payload_pages_bytes_ - bytes);
}

GuardedBuffer::~GuardedBuffer() { munmap(base_, mapped_bytes_); }

void GuardedBuffer::make_read_only() {
    if (payload_pages_bytes_ != 0) mprotect(base_, payload_pages_bytes_, PROT_READ);
}

bool GuardedBuffer::front_untouched() const {
    return std::all_of(base_, reinterpret_cast<unsigned char*>(data_), [](unsigned char b) { return b == pattern; });
}

}  // namespace rtc::host
