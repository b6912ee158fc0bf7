// Interposers for calls that sleep, start threads or processes, enter the kernel or throw.
//
// Each one only notes the call and goes on to the function behind it; syscall also tells the ledger of mappings.
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <cstdarg>
#include <cstdlib>
#include <ctime>

#include "interpose.h"
#include "ledger.h"

using rtc::probe::Kind;
using rtc::probe::Next;
using rtc::probe::Note;
namespace ledger = rtc::probe::ledger;

RTC_PASS_ON(sleep, int, nanosleep, (const timespec* duration, timespec* rest), (duration, rest))
RTC_PASS_ON(sleep, int, clock_nanosleep, (clockid_t clock, int flags, const timespec* duration, timespec* rest),
            (clock, flags, duration, rest))
RTC_PASS_ON(sleep, int, usleep, (useconds_t duration), (duration))
RTC_PASS_ON(sleep, unsigned, sleep, (unsigned seconds), (seconds))
RTC_PASS_ON(sleep, int, thrd_sleep, (const timespec* duration, timespec* rest), (duration, rest))
RTC_PASS_ON(sleep, int, sched_yield, (), ())
RTC_PASS_ON(sleep, void, thrd_yield, (), ())
RTC_PASS_ON(sleep, int, poll, (pollfd * files, nfds_t count, int milliseconds), (files, count, milliseconds))
RTC_PASS_ON(sleep, int, select, (int count, fd_set* in, fd_set* out, fd_set* other, timeval* duration),
            (count, in, out, other, duration))
RTC_PASS_ON(sleep, int, epoll_wait, (int poll, epoll_event* events, int room, int milliseconds),
            (poll, events, room, milliseconds))

RTC_PASS_ON(thread, int, pthread_create,
            (pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument),
            (thread, attributes, start, argument))
RTC_PASS_ON(thread, int, pthread_join, (pthread_t thread, void** result), (thread, result))
RTC_PASS_ON(thread, int, thrd_create, (unsigned long* thread, int (*start)(void*), void* argument),
            (thread, start, argument))
RTC_PASS_ON(thread, int, thrd_join, (unsigned long thread, int* result), (thread, result))
RTC_PASS_ON(thread, pid_t, fork, (), ())
RTC_PASS_ON(thread, int, posix_spawn,
            (pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
             const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]),
            (child, path, actions, attributes, arguments, environment))
RTC_PASS_ON(thread, int, posix_spawnp,
            (pid_t* child, const char* name, const posix_spawn_file_actions_t* actions,
             const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]),
            (child, name, actions, attributes, arguments, environment))
RTC_PASS_ON(thread, int, system, (const char* command), (command))

RTC_INTERPOSE long syscall(long number, ...) {
    static Next<long(long, ...)> next("syscall");
    const Note note(Kind::syscall, "syscall");
    va_list values;
    va_start(values, number);
    long v[6];
    for (long& value : v) value = va_arg(values, long);
    va_end(values);
    const auto address = [](long value) { return reinterpret_cast<void*>(value); };
    const auto bytes = [](long value) { return static_cast<std::size_t>(value); };
    // Taken off before the call: afterwards another thread may own the address.
    if (number == SYS_munmap) ledger::unmapped(address(v[0]), bytes(v[1]));
    const long result = next.get()(number, v[0], v[1], v[2], v[3], v[4], v[5]);
    if (result == -1) return result;
    if (number == SYS_mremap) ledger::unmapped(address(v[0]), bytes(v[1]));
    if (number == SYS_mmap) ledger::mapped(address(result), bytes(v[1]));
    if (number == SYS_mremap) ledger::mapped(address(result), bytes(v[2]));
    return result;
}

// Whatever throws, in whichever language and for the first time or again, goes through one of these two.
RTC_INTERPOSE _Unwind_Reason_Code _Unwind_RaiseException(_Unwind_Exception* exception) {
    static Next<_Unwind_Reason_Code(_Unwind_Exception*)> next("_Unwind_RaiseException");
    const Note note(Kind::throws, "throw");
    return next.get()(exception);
}

RTC_INTERPOSE _Unwind_Reason_Code _Unwind_Resume_or_Rethrow(_Unwind_Exception* exception) {
    static Next<_Unwind_Reason_Code(_Unwind_Exception*)> next("_Unwind_Resume_or_Rethrow");
    const Note note(Kind::throws, "rethrow");
    return next.get()(exception);
}
