// System calls of one thread, trapped by Syscall User Dispatch (Linux 5.11, x86-64): whoever makes them and however,
// past libc too.
#pragma once

#include <cstddef>

namespace rtc::probe::syscalls {

// Called by the thread that is watched. Says why system calls can't be trapped here, nullptr if they can. stop gives
// the process its signal back.
const char* start() noexcept;
void stop() noexcept;

// From now on each system call of that thread is noted, and then carried out as if nothing had happened. One store:
// it costs nothing that a clock would see. Without a successful start, nothing happens.
void trap() noexcept;
void let_pass() noexcept;

// "system call mmap".
void name(long number, char* text, std::size_t room) noexcept;

}  // namespace rtc::probe::syscalls
