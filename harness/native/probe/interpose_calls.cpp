// Interposers for calls that wait, do I/O, start threads, enter the kernel or throw.
//
// Each one only notes the call and goes on to the function behind it. Trying a lock is no offence; taking, waiting
// and waking are. What enters the kernel by other ways is seen by the trap of system calls.
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <typeinfo>

#include "interpose.h"
#include "watch.h"

using rtc::probe::Kind;
using rtc::probe::Next;
using rtc::probe::Note;

// A function with a fixed list of parameters, passed on unchanged.
#define RTC_PASS_ON(kind, result, name, parameters, arguments) \
    RTC_INTERPOSE result name parameters {                     \
        static Next<result parameters> next(#name);            \
        const Note note(kind, #name);                          \
        return next.get() arguments;                           \
    }

RTC_PASS_ON(Kind::lock, int, pthread_mutex_lock, (pthread_mutex_t* mutex), (mutex))
RTC_PASS_ON(Kind::lock, int, pthread_mutex_timedlock, (pthread_mutex_t* mutex, const timespec* until), (mutex, until))
RTC_PASS_ON(Kind::lock, int, pthread_mutex_clocklock,
            (pthread_mutex_t* mutex, clockid_t clock, const timespec* until), (mutex, clock, until))
RTC_PASS_ON(Kind::lock, int, pthread_rwlock_rdlock, (pthread_rwlock_t* lock), (lock))
RTC_PASS_ON(Kind::lock, int, pthread_rwlock_wrlock, (pthread_rwlock_t* lock), (lock))
RTC_PASS_ON(Kind::lock, int, pthread_spin_lock, (pthread_spinlock_t* lock), (lock))
RTC_PASS_ON(Kind::lock, int, pthread_cond_wait, (pthread_cond_t* condition, pthread_mutex_t* mutex),
            (condition, mutex))
RTC_PASS_ON(Kind::lock, int, pthread_cond_timedwait,
            (pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until), (condition, mutex, until))
RTC_PASS_ON(Kind::lock, int, pthread_cond_clockwait,
            (pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until),
            (condition, mutex, clock, until))
RTC_PASS_ON(Kind::lock, int, pthread_cond_signal, (pthread_cond_t* condition), (condition))
RTC_PASS_ON(Kind::lock, int, pthread_cond_broadcast, (pthread_cond_t* condition), (condition))
RTC_PASS_ON(Kind::lock, int, sem_wait, (sem_t* semaphore), (semaphore))
RTC_PASS_ON(Kind::lock, int, sem_timedwait, (sem_t* semaphore, const timespec* until), (semaphore, until))
RTC_PASS_ON(Kind::lock, int, sem_post, (sem_t* semaphore), (semaphore))

RTC_PASS_ON(Kind::thread, int, pthread_create,
            (pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument),
            (thread, attributes, start, argument))
RTC_PASS_ON(Kind::thread, int, pthread_join, (pthread_t thread, void** result), (thread, result))

RTC_PASS_ON(Kind::sleep, int, nanosleep, (const timespec* duration, timespec* rest), (duration, rest))
RTC_PASS_ON(Kind::sleep, int, clock_nanosleep, (clockid_t clock, int flags, const timespec* duration, timespec* rest),
            (clock, flags, duration, rest))
RTC_PASS_ON(Kind::sleep, int, usleep, (useconds_t duration), (duration))
RTC_PASS_ON(Kind::sleep, unsigned, sleep, (unsigned seconds), (seconds))
RTC_PASS_ON(Kind::sleep, int, sched_yield, (), ())

RTC_PASS_ON(Kind::io, ssize_t, read, (int file, void* buffer, size_t bytes), (file, buffer, bytes))
RTC_PASS_ON(Kind::io, ssize_t, write, (int file, const void* buffer, size_t bytes), (file, buffer, bytes))
RTC_PASS_ON(Kind::io, ssize_t, writev, (int file, const iovec* parts, int count), (file, parts, count))
RTC_PASS_ON(Kind::io, int, close, (int file), (file))
RTC_PASS_ON(Kind::io, FILE*, fopen, (const char* path, const char* mode), (path, mode))
RTC_PASS_ON(Kind::io, FILE*, fopen64, (const char* path, const char* mode), (path, mode))
RTC_PASS_ON(Kind::io, int, fclose, (FILE * stream), (stream))
RTC_PASS_ON(Kind::io, int, fflush, (FILE * stream), (stream))
RTC_PASS_ON(Kind::io, size_t, fread, (void* buffer, size_t bytes, size_t count, FILE* stream),
            (buffer, bytes, count, stream))
RTC_PASS_ON(Kind::io, size_t, fwrite, (const void* buffer, size_t bytes, size_t count, FILE* stream),
            (buffer, bytes, count, stream))
RTC_PASS_ON(Kind::io, int, fputs, (const char* text, FILE* stream), (text, stream))
RTC_PASS_ON(Kind::io, int, fputc, (int character, FILE* stream), (character, stream))
RTC_PASS_ON(Kind::io, int, putc, (int character, FILE* stream), (character, stream))
RTC_PASS_ON(Kind::io, int, puts, (const char* text), (text))
RTC_PASS_ON(Kind::io, int, putchar, (int character), (character))
RTC_PASS_ON(Kind::io, int, vprintf, (const char* format, va_list values), (format, values))
RTC_PASS_ON(Kind::io, int, vfprintf, (FILE * stream, const char* format, va_list values), (stream, format, values))
RTC_PASS_ON(Kind::io, int, __vfprintf_chk, (FILE * stream, int flag, const char* format, va_list values),
            (stream, flag, format, values))

namespace {

int print(const char* function, FILE* stream, const char* format, va_list values) {
    static Next<int(FILE*, const char*, va_list)> next("vfprintf");
    const Note note(Kind::io, function);
    return next.get()(stream, format, values);
}

}  // namespace

// The variable lists are passed on to vfprintf.
#define RTC_PRINT(name, parameters, stream)                     \
    RTC_INTERPOSE int name parameters {                         \
        va_list values;                                         \
        va_start(values, format);                               \
        const int written = print(#name, stream, format, values); \
        va_end(values);                                         \
        return written;                                         \
    }

RTC_PRINT(printf, (const char* format, ...), stdout)
RTC_PRINT(fprintf, (FILE * stream, const char* format, ...), stream)
RTC_PRINT(__printf_chk, (int, const char* format, ...), stdout)
RTC_PRINT(__fprintf_chk, (FILE * stream, int, const char* format, ...), stream)

namespace {

// The mode is only there if the flags say that a file may be made.
int open_file(Next<int(const char*, int, ...)>& next, const char* function, const char* path, int flags,
              va_list more) {
    const Note note(Kind::io, function);
    const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    const unsigned mode = makes ? va_arg(more, unsigned) : 0;
    return next.get()(path, flags, mode);
}

}  // namespace

#define RTC_OPEN(name)                                               \
    RTC_INTERPOSE int name(const char* path, int flags, ...) {       \
        static Next<int(const char*, int, ...)> next(#name);         \
        va_list more;                                                \
        va_start(more, flags);                                       \
        const int file = open_file(next, #name, path, flags, more);  \
        va_end(more);                                                \
        return file;                                                 \
    }

RTC_OPEN(open)
RTC_OPEN(open64)

RTC_INTERPOSE long syscall(long number, ...) {
    static Next<long(long, ...)> next("syscall");
    const Note note(Kind::syscall, "syscall");
    va_list values;
    va_start(values, number);
    long v[6];
    for (long& value : v) value = va_arg(values, long);
    va_end(values);
    return next.get()(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

extern "C" [[noreturn]] __attribute__((visibility("default"))) void __cxa_throw(void* exception, void* type,
                                                                              void (*destroy)(void*)) {
    static Next<void(void*, void*, void (*)(void*))> next("__cxa_throw");
    const Note note(Kind::throws, "throw");
    next.get()(exception, type, destroy);
    __builtin_unreachable();
}
