// Loaders that each do one forbidden thing in every block, and give out what came of it: 1 if it worked, else 0.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <future>
#include <iterator>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "rtconform/loader.h"

struct rtc_model {
    char* fresh = nullptr;
    std::size_t touched = 0;
};

namespace {

constexpr std::size_t page = 4096, fresh_bytes = 64 * page;

// Past libc: an interposer never sees it. As x86-64 has it.
long raw(long number, long a = 0, long b = 0, long c = 0) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

bool nothing(rtc_model*) { return true; }
bool try_locks(rtc_model*) {
    static std::mutex mutex;
    const std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
    return lock.owns_lock();
}
bool clock_is_read(rtc_model*) { return std::chrono::steady_clock::now().time_since_epoch().count() > 0; }

bool raw_getpid(rtc_model*) { return raw(SYS_getpid) == getpid(); }
bool raw_write(rtc_model*) { return raw(SYS_write, 1, reinterpret_cast<long>("x"), 1) == 1; }
bool raw_unknown(rtc_model*) { return raw(9999) == -38; }  // ENOSYS
bool libc_getppid(rtc_model*) { return getppid() > 0; }
bool libc_poll(rtc_model*) { return poll(nullptr, 0, 1) == 0; }
bool errors(rtc_model*) { return ::open("/nowhere/at/all", O_RDONLY) == -1 && errno == ENOENT; }
bool forks(rtc_model*) {
    const pid_t child = fork();
    if (child == 0) _exit(7);
    int status = 0;
    return waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7;
}
bool blocks_signals(rtc_model*) {
    sigset_t wanted, before, after;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    sigprocmask(SIG_BLOCK, &wanted, &before);
    sigprocmask(SIG_SETMASK, &before, &after);
    return sigismember(&after, SIGUSR1) == 1 && sigismember(&before, SIGUSR1) == 0;
}
bool raises(rtc_model*) {
    static std::atomic<int> seen{0};
    signal(SIGUSR1, [](int) { ++seen; });
    const int before = seen;
    raise(SIGUSR1);
    return seen == before + 1;
}
bool maps(rtc_model*) {
    void* made = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return made != MAP_FAILED && munmap(made, page) == 0;
}
bool threads(rtc_model*) {
    int value = 0;
    std::thread([&] { value = 1; }).join();
    return value == 1;
}
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
bool reads_file(rtc_model*) {
    std::ifstream file("/proc/self/comm");
    return std::distance(std::istreambuf_iterator<char>(file), {}) > 0;
}
bool opens_library(rtc_model*) {
    void* library = dlopen("libm.so.6", RTLD_NOW);
    return library != nullptr && dlclose(library) == 0;
}
bool touches(rtc_model* model) {
    model->touched = (model->touched + page) % fresh_bytes;
    model->fresh[model->touched] = 1;
    return true;
}
bool throws_again(rtc_model*) {
    try {
        throw 1;
    } catch (int value) {
        return value == 1;
    }
}

rtc_status load(const char*, rtc_model** model, rtc_error*) {
    *model = new rtc_model;
    void* fresh = mmap(nullptr, fresh_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(fresh, fresh_bytes, MADV_NOHUGEPAGE);
    (*model)->fresh = static_cast<char*>(fresh);
    return RTC_OK;
}
rtc_status prepare(rtc_model*, std::uint32_t, rtc_error*) { return RTC_OK; }
void unload(rtc_model* model) {
    munmap(model->fresh, fresh_bytes);
    delete model;
}
std::uint32_t one(const rtc_model*) { return 1; }
void reset(rtc_model*) {}

template <bool (*act)(rtc_model*)>
void process(rtc_model* model, const float*, float* out, std::uint32_t frames) {
    std::fill_n(out, frames, act(model) ? 1.0f : 0.0f);
}

const char* const layer_types[] = {"dense", nullptr};

template <bool (*act)(rtc_model*)>
rtc_loader named(const char* name) {
    return {RTC_ABI_VERSION, name, "1",   "f32", layer_types, load, prepare,
            unload,          one,  one, reset, process<act>, nullptr};
}

#define RTC_NAMED(act) named<act>(#act)

}  // namespace

extern "C" const void* rtc_entry(const char*, std::uint32_t index) {
    static const rtc_loader loaders[] = {
        RTC_NAMED(nothing),      RTC_NAMED(try_locks),      RTC_NAMED(clock_is_read), RTC_NAMED(raw_getpid),
        RTC_NAMED(raw_write),    RTC_NAMED(raw_unknown),    RTC_NAMED(libc_getppid),  RTC_NAMED(libc_poll),
        RTC_NAMED(errors),       RTC_NAMED(forks),          RTC_NAMED(blocks_signals), RTC_NAMED(raises),
        RTC_NAMED(maps),         RTC_NAMED(threads),        RTC_NAMED(waits),         RTC_NAMED(shared_locks),
        RTC_NAMED(timed_locks),  RTC_NAMED(reads_file),     RTC_NAMED(opens_library), RTC_NAMED(touches),
        RTC_NAMED(throws_again),
    };
    return index < std::size(loaders) ? &loaders[index] : nullptr;
}
