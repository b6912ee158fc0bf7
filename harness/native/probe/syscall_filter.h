// The seccomp filter that traps the system calls of a thread, for ever.
#pragma once

#if defined(__linux__) && defined(__x86_64__)

namespace rtc::probe::syscalls {

// From now on, until the calling thread ends, each of its system calls becomes the signal SIGSYS, but those made
// between the labels of syscall_handler.h and those in callers_own, which the filter lets pass unseen. Threads and
// programs that it starts inherit that. False if the kernel or a sandbox won't have it.
bool filter_for_good() noexcept;

}  // namespace rtc::probe::syscalls

#endif
