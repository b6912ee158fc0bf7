// Interposers for what takes a lock, waits for another thread or wakes one.
//
// Trying a lock is no offence; taking, waiting and waking are. Where somebody else holds a lock that isn't named here,
// the kernel is asked to wait, which the trap of system calls sees.
#include <pthread.h>
#include <semaphore.h>

#include <cstddef>
#include <ctime>

#include "interpose.h"

RTC_PASS_ON(lock, int, pthread_mutex_lock, (pthread_mutex_t* mutex), (mutex))
RTC_PASS_ON(lock, int, pthread_mutex_timedlock, (pthread_mutex_t* mutex, const timespec* until), (mutex, until))
RTC_PASS_ON(lock, int, pthread_mutex_clocklock, (pthread_mutex_t* mutex, clockid_t clock, const timespec* until),
            (mutex, clock, until))
RTC_PASS_ON(lock, int, pthread_rwlock_rdlock, (pthread_rwlock_t* lock), (lock))
RTC_PASS_ON(lock, int, pthread_rwlock_timedrdlock, (pthread_rwlock_t* lock, const timespec* until), (lock, until))
RTC_PASS_ON(lock, int, pthread_rwlock_clockrdlock, (pthread_rwlock_t* lock, clockid_t clock, const timespec* until),
            (lock, clock, until))
RTC_PASS_ON(lock, int, pthread_rwlock_wrlock, (pthread_rwlock_t* lock), (lock))
RTC_PASS_ON(lock, int, pthread_rwlock_timedwrlock, (pthread_rwlock_t* lock, const timespec* until), (lock, until))
RTC_PASS_ON(lock, int, pthread_rwlock_clockwrlock, (pthread_rwlock_t* lock, clockid_t clock, const timespec* until),
            (lock, clock, until))
RTC_PASS_ON(lock, int, pthread_spin_lock, (pthread_spinlock_t* lock), (lock))
RTC_PASS_ON(lock, int, pthread_cond_wait, (pthread_cond_t* condition, pthread_mutex_t* mutex), (condition, mutex))
RTC_PASS_ON(lock, int, pthread_cond_timedwait,
            (pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until), (condition, mutex, until))
RTC_PASS_ON(lock, int, pthread_cond_clockwait,
            (pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until),
            (condition, mutex, clock, until))
RTC_PASS_ON(lock, int, pthread_cond_signal, (pthread_cond_t* condition), (condition))
RTC_PASS_ON(lock, int, pthread_cond_broadcast, (pthread_cond_t* condition), (condition))
RTC_PASS_ON(lock, int, pthread_barrier_wait, (pthread_barrier_t* barrier), (barrier))
RTC_PASS_ON(lock, int, sem_wait, (sem_t* semaphore), (semaphore))
RTC_PASS_ON(lock, int, sem_timedwait, (sem_t* semaphore, const timespec* until), (semaphore, until))
RTC_PASS_ON(lock, int, sem_clockwait, (sem_t* semaphore, clockid_t clock, const timespec* until),
            (semaphore, clock, until))
RTC_PASS_ON(lock, int, sem_post, (sem_t* semaphore), (semaphore))

// Those of C11's <threads.h>, which older systems don't have; all of them take pointers.
RTC_PASS_ON(lock, int, mtx_lock, (void* mutex), (mutex))
RTC_PASS_ON(lock, int, mtx_timedlock, (void* mutex, const timespec* until), (mutex, until))
RTC_PASS_ON(lock, int, cnd_wait, (void* condition, void* mutex), (condition, mutex))
RTC_PASS_ON(lock, int, cnd_timedwait, (void* condition, void* mutex, const timespec* until),
            (condition, mutex, until))
RTC_PASS_ON(lock, int, cnd_signal, (void* condition), (condition))
RTC_PASS_ON(lock, int, cnd_broadcast, (void* condition), (condition))

// A static variable of a function, where it isn't initialised yet: whoever comes second waits for the first.
RTC_PASS_ON(lock, int, __cxa_guard_acquire, (void* guard), (guard))

// Functions of libc behind each of which there is one lock for the whole process.
RTC_PASS_ON(lock, int, rand, (), ())
RTC_PASS_ON(lock, void, srand, (unsigned seed), (seed))
RTC_PASS_ON(lock, long, random, (), ())
RTC_PASS_ON(lock, void, srandom, (unsigned seed), (seed))
RTC_PASS_ON(lock, void, tzset, (), ())
RTC_PASS_ON(lock, tm*, localtime, (const time_t* time), (time))
RTC_PASS_ON(lock, tm*, localtime_r, (const time_t* time, tm* broken_down), (time, broken_down))
RTC_PASS_ON(lock, tm*, gmtime, (const time_t* time), (time))
RTC_PASS_ON(lock, tm*, gmtime_r, (const time_t* time, tm* broken_down), (time, broken_down))
RTC_PASS_ON(lock, time_t, mktime, (tm * broken_down), (broken_down))
RTC_PASS_ON(lock, std::size_t, strftime, (char* text, std::size_t room, const char* format, const tm* broken_down),
            (text, room, format, broken_down))
RTC_PASS_ON(lock, char*, setlocale, (int category, const char* locale), (category, locale))
