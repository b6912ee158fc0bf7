// Loaders that each do one thing that is seen by its name, or by the kernel's count; and what is allowed.
#include <alloca.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <syslog.h>
#include <threads.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <cwchar>
#include <exception>
#include <fstream>
#include <future>
#include <iostream>
#include <iterator>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "acting_loader.h"

namespace {

using acting::page;

constexpr std::size_t deep_stack = std::size_t{1} << 20;
volatile int none = 0;

// Opened while the library is, long before the first block.
std::ofstream log_file("/dev/null");
std::wofstream wide_log_file("/dev/null");
std::FILE* const text_file = std::fopen("/proc/self/maps", "r");
std::FILE* const wide_file = std::fopen("/dev/null", "w");
const std::exception_ptr kept = std::make_exception_ptr(1);
pthread_spinlock_t spin_lock;
pthread_barrier_t barrier_for_one;
mtx_t c11_mutex;
cnd_t c11_condition;
sem_t semaphore;
std::once_flag once;
const bool made = pthread_spin_init(&spin_lock, 0) + pthread_barrier_init(&barrier_for_one, nullptr, 1) +
                  mtx_init(&c11_mutex, mtx_plain) + cnd_init(&c11_condition) + sem_init(&semaphore, 0, 1) == 0;

// What is allowed.
bool nothing(rtc_model*) { return made; }
bool try_locks(rtc_model*) {
    static std::mutex mutex;
    const std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
    return lock.owns_lock();
}
bool clock_is_read(rtc_model*) { return std::chrono::steady_clock::now().time_since_epoch().count() > 0; }
bool environment_is_read(rtc_model*) { return std::getenv("PATH") != nullptr; }
bool jumps(rtc_model*) {
    jmp_buf place;
    if (setjmp(place) != 0) return true;
    longjmp(place, 1);
}

// Memory.
bool news_aligned(rtc_model*) {
    struct alignas(64) Wide { char bytes[64]; };
    Wide* volatile wide = new Wide;
    delete wide;
    return wide != nullptr;
}
bool reallocates_array(rtc_model*) {
    void* const block = reallocarray(nullptr, 7, 11);
    std::free(block);
    return block != nullptr;
}
bool takes_pages(rtc_model*) {
    void* const block = pvalloc(1);
    const bool is_page = malloc_usable_size(block) >= page && reinterpret_cast<std::size_t>(block) % page == 0;
    std::free(block);
    return is_page;
}
bool trims(rtc_model*) { return malloc_trim(0) >= 0; }
bool moves_break(rtc_model*) { return sbrk(16) != reinterpret_cast<void*>(-1); }
bool maps(rtc_model*) {
    void* made = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return made != MAP_FAILED && munmap(made, page) == 0;
}
bool advises_about_file(rtc_model*) { return posix_fadvise(fileno(text_file), 0, 0, POSIX_FADV_NORMAL) == 0; }
bool advises(rtc_model* model) { return madvise(model->fresh, page, MADV_DONTNEED) == 0; }
bool touches(rtc_model* model) {
    model->touched = (model->touched + page) % acting::fresh_bytes;
    model->fresh[model->touched] = 1;
    return true;
}
bool has_deep_stack(rtc_model*) {
    auto* const deep = static_cast<volatile char*>(alloca(deep_stack));
    for (std::size_t offset = 0; offset < deep_stack; offset += page) deep[offset] = 1;
    return deep[0] == 1;
}
bool leaves_it_to_reset(rtc_model* model) { return model->is_used = true; }

// Locks, waiting and waking.
bool spins(rtc_model*) { return pthread_spin_lock(&spin_lock) == 0 && pthread_spin_unlock(&spin_lock) == 0; }
bool waits(rtc_model*) {
    std::mutex mutex;
    std::condition_variable condition;
    std::unique_lock<std::mutex> lock(mutex);
    return condition.wait_for(lock, std::chrono::milliseconds(1)) == std::cv_status::timeout;
}
bool shared_locks(rtc_model*) {
    static std::shared_mutex mutex;
    const std::shared_lock<std::shared_mutex> lock(mutex);
    return lock.owns_lock();
}
bool timed_locks(rtc_model*) {
    static std::timed_mutex mutex;
    const std::unique_lock<std::timed_mutex> lock(mutex, std::chrono::milliseconds(1));
    return lock.owns_lock();
}
bool shared_timed_locks(rtc_model*) {
    static std::shared_timed_mutex mutex;
    const std::shared_lock<std::shared_timed_mutex> lock(mutex, std::chrono::milliseconds(1));
    return lock.owns_lock();
}
bool timed_semaphores(rtc_model*) {
    const timespec past{};
    return sem_clockwait(&semaphore, CLOCK_MONOTONIC, &past) == 0 && sem_post(&semaphore) == 0;
}
bool barriers(rtc_model*) { return pthread_barrier_wait(&barrier_for_one) == PTHREAD_BARRIER_SERIAL_THREAD; }
bool c11_locks(rtc_model*) { return mtx_lock(&c11_mutex) == thrd_success && mtx_unlock(&c11_mutex) == thrd_success; }
bool c11_wakes(rtc_model*) { return cnd_signal(&c11_condition) == thrd_success; }
bool calls_once(rtc_model*) {
    static bool is_called = false;
    std::call_once(once, [] { is_called = true; });
    return is_called;
}
bool first_use(rtc_model*) {
    static const int seven = none + 7;
    return seven == 7;
}
bool draws_lots(rtc_model*) { return std::rand() >= 0; }
bool tells_time(rtc_model*) {
    const std::time_t then = 0;
    return std::localtime(&then) != nullptr;
}

// Sleeping.
bool polls(rtc_model*) { return poll(nullptr, 0, 1) == 0; }
bool selects(rtc_model*) {
    timeval moment{0, 1000};
    return select(0, nullptr, nullptr, nullptr, &moment) == 0;
}
bool waits_for_events(rtc_model*) {
    epoll_event event;
    return epoll_wait(-1, &event, 1, 0) == -1 && errno == EBADF;
}
bool c11_sleeps(rtc_model*) {
    const timespec moment{0, 1000};
    return thrd_sleep(&moment, nullptr) == 0;
}
bool yields(rtc_model*) {
    std::this_thread::yield();
    return true;
}

// Files and streams.
bool errors(rtc_model*) { return ::open("/nowhere/at/all", O_RDONLY) == -1 && errno == ENOENT; }
bool errors_in_folder(rtc_model*) { return ::openat(AT_FDCWD, "nowhere/at/all", O_RDONLY) == -1 && errno == ENOENT; }
bool reads_at(rtc_model*) {
    char byte;
    return pread(-1, &byte, 1, 0) == -1 && errno == EBADF;
}
bool reads_file(rtc_model*) {
    std::ifstream file("/proc/self/comm");
    return std::distance(std::istreambuf_iterator<char>(file), {}) > 0;
}
bool reads_line(rtc_model*) {
    char text[8];
    return std::fgets(text, sizeof text, text_file) != nullptr;
}
bool reads_character(rtc_model*) { return std::getc(text_file) != EOF; }
bool prints_into_buffer(rtc_model*) { return static_cast<bool>(log_file << "level " << 0.5f); }
bool prints(rtc_model*) { return static_cast<bool>(std::cout << 0.5f); }
bool prints_wide(rtc_model*) { return static_cast<bool>(std::wcout << L"level"); }
bool prints_wide_into_buffer(rtc_model*) { return static_cast<bool>(wide_log_file << L"level"); }
bool puts_wide_text(rtc_model*) { return std::fputws(L"level", wide_file) >= 0; }
bool puts_wide_character(rtc_model*) { return std::fputwc(L'l', wide_file) == L'l'; }
bool formats_wide(rtc_model*) { return std::fwprintf(wide_file, L"%ls %d", L"level", 12) == 8; }
bool logs(rtc_model*) {
    setlogmask(LOG_MASK(LOG_EMERG));  // so that nothing comes to the log of whoever runs this
    syslog(LOG_DEBUG, "block %d", 1);
    return true;
}

// Threads.
bool threads(rtc_model*) {
    int value = 0;
    std::thread([&] { value = 1; }).join();
    return value == 1;
}
bool tasks(rtc_model*) { return std::async(std::launch::async, [] { return 1; }).get() == 1; }
bool c11_threads(rtc_model*) {
    thrd_t thread;
    int result = 0;
    if (thrd_create(&thread, [](void*) { return 5; }, nullptr) != thrd_success) return false;
    return thrd_join(thread, &result) == thrd_success && result == 5;
}
// Libraries.
bool opens_library(rtc_model*) {
    void* const library = dlopen("libm.so.6", RTLD_NOW);
    return library != nullptr && dlclose(library) == 0;
}
bool opens_its_own(rtc_model*) {
    // Lies where this library's RUNPATH says, and nowhere else.
    void* const library = dlopen("libbeside.so", RTLD_NOW);
    return library != nullptr && dlclose(library) == 0;
}
bool looks_up(rtc_model*) { return dlsym(RTLD_NEXT, "getppid") == reinterpret_cast<void*>(&getppid); }

// Exceptions.
bool throws_again(rtc_model*) {
    try {
        throw 1;
    } catch (int value) {
        return value == 1;
    }
}
bool throws_kept(rtc_model*) {
    try {
        std::rethrow_exception(kept);
    } catch (int value) {
        return value == 1;
    }
}
bool passes_on(rtc_model*) {
    try {
        try {
            std::rethrow_exception(kept);
        } catch (int) {
            throw;
        }
    } catch (int value) {
        return value == 1;
    }
}
bool runs_out_of_memory(rtc_model*) {
    try {
        char* volatile huge = new char[(std::size_t{1} << 60) + static_cast<std::size_t>(none)];
        return huge == nullptr;
    } catch (const std::bad_alloc&) {
        return true;
    }
}
bool goes_past_the_end(rtc_model*) {
    try {
        return std::vector<int>(1).at(1) == 0;
    } catch (const std::out_of_range&) {
        return true;
    }
}

}  // namespace

extern "C" const void* rtc_entry(const char*, std::uint32_t index) {
    static const rtc_loader loaders[] = {
        RTC_ACTING(nothing), RTC_ACTING(try_locks), RTC_ACTING(clock_is_read), RTC_ACTING(environment_is_read),
        RTC_ACTING(jumps), RTC_ACTING(news_aligned), RTC_ACTING(reallocates_array), RTC_ACTING(takes_pages),
        RTC_ACTING(trims), RTC_ACTING(moves_break), RTC_ACTING(maps), RTC_ACTING(advises),
        RTC_ACTING(advises_about_file), RTC_ACTING(touches), RTC_ACTING(has_deep_stack),
        RTC_ACTING(leaves_it_to_reset), RTC_ACTING(spins), RTC_ACTING(waits), RTC_ACTING(shared_locks),
        RTC_ACTING(timed_locks), RTC_ACTING(shared_timed_locks), RTC_ACTING(timed_semaphores), RTC_ACTING(barriers),
        RTC_ACTING(c11_locks), RTC_ACTING(c11_wakes), RTC_ACTING(calls_once), RTC_ACTING(first_use),
        RTC_ACTING(draws_lots), RTC_ACTING(tells_time), RTC_ACTING(polls), RTC_ACTING(selects),
        RTC_ACTING(waits_for_events), RTC_ACTING(c11_sleeps), RTC_ACTING(yields), RTC_ACTING(errors),
        RTC_ACTING(errors_in_folder), RTC_ACTING(reads_at), RTC_ACTING(reads_file), RTC_ACTING(reads_line),
        RTC_ACTING(reads_character), RTC_ACTING(prints_into_buffer), RTC_ACTING(prints), RTC_ACTING(prints_wide),
        RTC_ACTING(prints_wide_into_buffer), RTC_ACTING(puts_wide_text), RTC_ACTING(puts_wide_character),
        RTC_ACTING(formats_wide), RTC_ACTING(logs), RTC_ACTING(threads), RTC_ACTING(tasks), RTC_ACTING(c11_threads),
        RTC_ACTING(opens_library), RTC_ACTING(opens_its_own), RTC_ACTING(looks_up), RTC_ACTING(throws_again),
        RTC_ACTING(throws_kept), RTC_ACTING(passes_on), RTC_ACTING(runs_out_of_memory), RTC_ACTING(goes_past_the_end),
    };
    return index < std::size(loaders) ? &loaders[index] : nullptr;
}
