#include "syscalls.h"

#if defined(__linux__) && defined(__x86_64__)

#include <sys/syscall.h>

#include <cstdio>

namespace rtc::probe::syscalls {

// Those that a library is likely to make; the others go by their number.
// clang-format off
#define RTC_SYSTEM_CALLS(X)                                                                                         \
    X(mmap) X(munmap) X(mremap) X(mprotect) X(madvise) X(brk) X(futex) X(nanosleep) X(clock_nanosleep) X(poll)       \
    X(ppoll) X(select) X(pselect6) X(epoll_wait) X(epoll_pwait) X(pause) X(sched_yield) X(read) X(write) X(pread64)  \
    X(pwrite64) X(readv) X(writev) X(preadv) X(pwritev) X(open) X(openat) X(close) X(stat) X(fstat) X(lstat)         \
    X(newfstatat) X(lseek) X(fsync) X(fdatasync) X(ftruncate) X(unlink) X(rename) X(access) X(getdents64) X(pipe)    \
    X(pipe2) X(dup) X(dup2) X(socket) X(connect) X(accept) X(sendto) X(recvfrom) X(sendmsg) X(recvmsg) X(ioctl)      \
    X(fcntl) X(clone) X(clone3) X(fork) X(vfork) X(execve) X(wait4) X(exit) X(exit_group) X(getpid) X(getppid)       \
    X(gettid) X(getuid) X(getrusage) X(times) X(gettimeofday) X(clock_gettime) X(time) X(getrandom) X(sysinfo)       \
    X(sched_getaffinity) X(sched_setaffinity) X(sched_setscheduler) X(setpriority) X(rt_sigaction)                   \
    X(rt_sigprocmask) X(sigaltstack) X(rt_sigreturn) X(kill) X(tgkill) X(prctl) X(arch_prctl) X(prlimit64)           \
    X(membarrier) X(rseq) X(getcpu) X(uname) X(getcwd) X(epoll_create1) X(epoll_ctl) X(eventfd2) X(timerfd_create)    \
    X(timerfd_settime) X(memfd_create)
// clang-format on

void name(long number, char* text, std::size_t room) noexcept {
    switch (number) {
#define RTC_CASE(call) \
    case SYS_##call: std::snprintf(text, room, "system call %s", #call); return;
        RTC_SYSTEM_CALLS(RTC_CASE)
#undef RTC_CASE
        default: std::snprintf(text, room, "system call number %ld", number);
    }
}

}  // namespace rtc::probe::syscalls

#endif
