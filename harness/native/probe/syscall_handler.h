// What a trapped system call comes to: the signal SIGSYS, whose handler notes it and carries it out.
#pragma once

#if defined(__linux__) && defined(__x86_64__)

#include <sys/syscall.h>

// Between the two labels every system call passes, whoever traps: the handler makes them there on behalf of the
// library, and returns there. The kernel looks at the address behind the instruction.
extern "C" const char rtc_syscalls_begin[], rtc_syscalls_end[];

namespace rtc::probe::syscalls {

// These can't be made in the handler's place: they give a second thread of control its registers, or are the return
// from a handler of the library's own.
constexpr long callers_own[] = {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork, SYS_rt_sigreturn};

// Sets the handler up, and gives back the one before.
bool handle_trapped() noexcept;
void handle_no_more() noexcept;

// How many calls have come to the handler in this process.
unsigned long trapped() noexcept;

}  // namespace rtc::probe::syscalls

#endif
