// The ledger of all memory that the library under test holds.
//
// Counted is what is allocated inside a Boundary, or on any thread but the host's own (all others are the library's).
// While the library is being opened, the dynamic linker's own allocations are left out: they belong to no
// loader, whereas a constructor's do. Nothing here allocates.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rtc::probe::ledger {

struct Usage {
    std::uint64_t heap = 0;    // bytes; usable sizes, so what malloc rounds up is counted
    std::uint64_t mapped = 0;  // bytes of mmap; a mapping counts whole, touched or not
    std::int64_t program_break = 0;
    std::uint64_t rounded_up = 0;  // of the heap, what nobody asked for
    const char* full = nullptr;  // a sentence, once there was more to note than the ledger has room for

    std::int64_t total() const { return static_cast<std::int64_t>(heap + mapped) + program_break; }

    // The same as the library sees it. What malloc adds depends on what was freed before, and creeps up as the heap
    // comes apart, so that it must not be taken for a leak.
    std::int64_t asked_for() const { return total() - static_cast<std::int64_t>(rounded_up); }
};

// Called once, by the host's main thread, before the library is opened.
void start() noexcept;

// Called by each further thread that the host itself starts and that calls the library.
void leave_out_this_thread() noexcept;

void enter(bool opening) noexcept;
void leave() noexcept;

Usage usage() noexcept;
std::int64_t peak() noexcept;       // the largest total since the start or the last restart_peak
void restart_peak() noexcept;

// For the interposers. bytes is what was asked for, caller the return address of the allocating call.
void allocated(void* block, std::size_t bytes, void* caller) noexcept;
void released(void* block) noexcept;
void mapped(void* address, std::size_t bytes) noexcept;
void unmapped(void* address, std::size_t bytes) noexcept;
void unmapped_from(void* address) noexcept;  // whatever was mapped there at once
void program_break_moved(std::int64_t bytes) noexcept;

}  // namespace rtc::probe::ledger
