#include "pretouch.h"

#include <link.h>
#include <pthread.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <ctime>

namespace rtc::probe {
namespace {

constexpr std::size_t stack_bytes = 256 * 1024;
constexpr std::size_t page = 4096;  // the smallest there is; with larger ones some are touched twice

int read_object(dl_phdr_info* info, std::size_t, void*) {
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& header = info->dlpi_phdr[i];
        if (header.p_type != PT_LOAD || (header.p_flags & PF_R) == 0) continue;
        const auto* const bytes = reinterpret_cast<const volatile char*>(info->dlpi_addr + header.p_vaddr);
        for (std::size_t offset = 0; offset < header.p_filesz; offset += page) static_cast<void>(bytes[offset]);
        if (header.p_filesz != 0) static_cast<void>(bytes[header.p_filesz - 1]);
    }
    return 0;
}

// Else the kernel may map 2 MiB of a thread's stack when one byte of them is touched, and deeper ones with it.
void keep_stack_in_small_pages() noexcept {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void* lowest = nullptr;
    std::size_t bytes = 0;
    if (pthread_attr_getstack(&attributes, &lowest, &bytes) == 0) madvise(lowest, bytes, MADV_NOHUGEPAGE);
    pthread_attr_destroy(&attributes);
}

__attribute__((noinline)) void touch_stack() noexcept {
    char deep[stack_bytes];
    for (std::size_t offset = 0; offset < stack_bytes; offset += page) deep[offset] = 0;
    __asm__ volatile("" : : "r"(deep) : "memory");  // keeps the compiler from leaving it out
}

}  // namespace

void touch_what_hosts_touch() noexcept {
    keep_stack_in_small_pages();
    touch_stack();
    dl_iterate_phdr(read_object, nullptr);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
}

}  // namespace rtc::probe
