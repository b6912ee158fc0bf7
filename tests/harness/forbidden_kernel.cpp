// Loaders that each enter the kernel, past libc or in a way that is hard to carry out on their behalf.
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iterator>

#include "acting_loader.h"

namespace {

// Past libc: an interposer never sees it. As x86-64 has it.
long raw(long number, long a = 0, long b = 0, long c = 0) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
long raw_with_32_bits(long number) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory");
    return result;
}

// Processes.
bool ends_with(pid_t child, int code) {
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == code;
}
bool forks(rtc_model*) {
    const pid_t child = fork();
    if (child == 0) _exit(7);
    return ends_with(child, 7);
}
bool raw_forks(rtc_model*) {
    const long child = raw(SYS_fork);
    if (child == 0) _exit(7);
    return ends_with(static_cast<pid_t>(child), 7);
}
bool forks_in_place(rtc_model*) {
    const pid_t child = vfork();
    if (child == 0) _exit(7);
    return ends_with(child, 7);
}
bool starts_program(rtc_model*) {
    pid_t child = 0;
    char name[] = "true";
    char* const arguments[] = {name, nullptr};
    return posix_spawnp(&child, name, nullptr, nullptr, arguments, environ) == 0 && waitpid(child, nullptr, 0) == child;
}
bool runs_command(rtc_model*) { return std::system("exit 7") != -1; }

// System calls.
bool raw_getpid(rtc_model*) { return raw(SYS_getpid) == getpid(); }
bool raw_write(rtc_model*) { return raw(SYS_write, 1, reinterpret_cast<long>("x"), 1) == 1; }
bool raw_unknown(rtc_model*) { return raw(9999) == -38; }  // ENOSYS
bool raw_32_bits(rtc_model*) { return raw_with_32_bits(20) == getpid(); }
bool libc_getppid(rtc_model*) { return getppid() > 0; }
bool blocks_signals(rtc_model*) {
    sigset_t wanted, before, after;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    sigprocmask(SIG_BLOCK, &wanted, &before);
    sigprocmask(SIG_SETMASK, &before, &after);
    return sigismember(&after, SIGUSR1) == 1 && sigismember(&before, SIGUSR1) == 0;
}
bool blocks_all_signals(rtc_model*) {
    // That of the trap is among them.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    const bool works = raw(SYS_gettid) > 0;
    return sigprocmask(SIG_SETMASK, &before, nullptr) == 0 && works;
}
bool changes_signal_stack(rtc_model*) {
    static char room[65536];
    stack_t mine{}, before, after;
    mine.ss_sp = room;
    mine.ss_size = sizeof room;
    return sigaltstack(&mine, &before) == 0 && sigaltstack(&before, &after) == 0 && after.ss_sp == room;
}
bool raises(rtc_model*) {
    static std::atomic<int> seen{0};
    signal(SIGUSR1, [](int) { ++seen; });
    const int before = seen;
    raise(SIGUSR1);
    return seen == before + 1;
}

}  // namespace

extern "C" const void* rtc_entry(const char*, std::uint32_t index) {
    static const rtc_loader loaders[] = {
        RTC_ACTING(forks), RTC_ACTING(raw_forks), RTC_ACTING(forks_in_place), RTC_ACTING(starts_program),
        RTC_ACTING(runs_command), RTC_ACTING(raw_getpid), RTC_ACTING(raw_write), RTC_ACTING(raw_unknown),
        RTC_ACTING(raw_32_bits), RTC_ACTING(libc_getppid), RTC_ACTING(blocks_signals), RTC_ACTING(blocks_all_signals),
        RTC_ACTING(changes_signal_stack), RTC_ACTING(raises),
    };
    return index < std::size(loaders) ? &loaders[index] : nullptr;
}
