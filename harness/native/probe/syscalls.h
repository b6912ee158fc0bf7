// System calls of one thread, trapped whoever makes them and however, past libc too (Linux, x86-64).
//
// There are two ways. Syscall User Dispatch (Linux 5.11) can be lifted again, costs nothing while it lets calls pass,
// and sees all of them. Where it is missing, a seccomp filter does the same, but it is never lifted from its thread:
// all later calls of that thread, and of the threads and programs that it starts, go through the trap too.
#pragma once

#include <cstddef>

namespace rtc::probe::syscalls {

// Called by the thread that is watched. Says why system calls can't be trapped here, nullptr if they can. stop gives
// the process its signal back, where the trap can be lifted. RTCONFORM_SYSCALL_TRAP in the environment, if it is set,
// names the only way that is tried: dispatch, seccomp, or none.
const char* start() noexcept;
void stop() noexcept;

// From now on each system call of that thread is noted, and then carried out as if nothing had happened. One store:
// it costs nothing that a clock would see. Without a successful start, nothing happens.
void trap() noexcept;
void let_pass() noexcept;

// "dispatch", "seccomp" or "none": what start has come to.
const char* way() noexcept;
bool is_for_good() noexcept;  // by seccomp, then

// "system call mmap".
void name(long number, char* text, std::size_t room) noexcept;

}  // namespace rtc::probe::syscalls
