#include "side_effects.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <chrono>
#include <clocale>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <locale>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace rtc_faulty {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t page = 4096, fresh_bytes = 16 * page;
constexpr std::size_t six_mb = std::size_t{6} << 20;
constexpr std::size_t leaked_bytes = 1024, leaked_little = 48, kept_per_frame = 4096;
constexpr std::uint64_t calls_per_allocation = 1000;

// Past libc where that can be said, so that nobody who stands in front of libc sees it.
void raw_getppid() {
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_getppid) : "rcx", "r11", "memory");
#else
    syscall(SYS_getppid);
#endif
}

// Prepared by prepare, for the thread that prepares.
std::vector<float>& scratch_of_this_thread() {
    thread_local std::vector<float> scratch;
    return scratch;
}

// Whether another model than the last one is used.
bool is_switch(const void* user) {
    static const void* latest = nullptr;
    const void* const before = std::exchange(latest, user);
    return before != nullptr && before != user;
}

void stop_flushing_denormals() {
#if defined(__SSE__)
    _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_OFF);
#else
    std::fesetround(FE_TONEAREST);
#endif
}

void lose(std::size_t bytes) {
    // Through a volatile, or the compiler sees that nobody wants the memory and takes none.
    void* volatile lost = std::malloc(bytes);
    static_cast<void>(lost);
}

class DecimalComma : public std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
};

// Destroyed when the library is closed or the process ends, and loud then.
struct SaysGoodbye {
    ~SaysGoodbye() { std::puts("goodbye"); }
};

// How many models of each path there are, for mem-leak-when-shared.
std::map<std::string, std::size_t>& in_use() {
    static std::map<std::string, std::size_t> models;
    return models;
}
std::string latest_path;

// What unload leaves for the next block to free.
std::unique_ptr<char[]> unloaded;

}  // namespace

void flush_denormals() {
#if defined(__SSE__)
    _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
#else
    std::fesetround(FE_TOWARDZERO);
#endif
}

void before_load(Fault fault, const char* path) {
    if (fault == Fault::crashes) {
        volatile int* volatile nowhere = nullptr;
        *nowhere = 1;
    }
    while (fault == Fault::hangs) pause();
    if (fault == Fault::calls_exit) std::exit(0);
    if (fault == Fault::changes_locale) std::setlocale(LC_ALL, "C.UTF-8");
    if (fault == Fault::changes_folder && chdir("/") != 0) throw std::runtime_error("the root can't be entered");
    if (fault == Fault::handles_signal) std::signal(SIGFPE, [](int) {});
    if (fault == Fault::changes_cpp_locale)
        std::locale::global(std::locale(std::locale::classic(), new DecimalComma));
    if (fault == Fault::changes_thread_locale) uselocale(newlocale(LC_ALL_MASK, "C.UTF-8", nullptr));
    if (fault == Fault::changes_variable) setenv("RTC_FAULTY_LOADED", "1", 1);
    if (fault == Fault::changes_umask) umask(077);
    if (fault == Fault::handles_terminate) std::set_terminate([] { _exit(1); });
    if (fault == Fault::blocks_signals) {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
    }
    if (fault == Fault::replaces_stream) {
        const int nowhere = open("/dev/zero", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
    if (fault == Fault::prints_at_exit) static const SaysGoodbye goodbye;
    if (fault == Fault::leaks) lose(leaked_bytes);
    if (fault == Fault::leaks_little) lose(leaked_little);
    if (fault == Fault::leaks_descriptor) static_cast<void>(open(path, O_RDONLY | O_CLOEXEC));
    if (fault == Fault::leaks_thread) std::thread([] { for (;;) pause(); }).detach();
    if (fault == Fault::keeps_by_path) {
        static std::map<std::string, std::vector<char>> files;
        files[path].resize(leaked_bytes);
    }
    if (fault == Fault::leaks_when_shared) {
        latest_path = path;
        if (in_use()[path] != 0) lose(leaked_bytes);
    }
}

void after_refusal(Fault fault) {
    if (fault == Fault::prints_when_refusing) std::puts("the file is refused");
    if (fault == Fault::folder_when_refusing && chdir("/") != 0) std::abort();
    if (fault == Fault::leaks_on_refusal) lose(leaked_bytes);
}

SideEffects::SideEffects(Fault fault) : fault_(fault) {
    if (fault == Fault::leaks_when_shared) ++in_use()[path_ = latest_path];
    if (fault == Fault::keeps_6mb) kept_.assign(six_mb, 1);
    if (fault == Fault::keeps_6mb_in_mmap) {
        mapping_ = mmap(nullptr, six_mb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping_ == MAP_FAILED) throw std::bad_alloc();
        std::memset(mapping_, 1, six_mb);
    }
}

SideEffects::~SideEffects() {
    if (fault_ == Fault::fpenv_until_unload) stop_flushing_denormals();
    if (fault_ == Fault::leaks_when_shared && --in_use()[path_] == 0) in_use().erase(path_);
    if (fault_ == Fault::frees_unloaded) unloaded = std::make_unique<char[]>(leaked_bytes);
    if (fresh_ != nullptr) munmap(const_cast<char*>(fresh_), fresh_bytes);
    if (mapping_ != nullptr) munmap(mapping_, six_mb);
}

void SideEffects::after_load(Json file) {
    if (fault_ == Fault::keeps_json) file_ = std::make_unique<Json>(std::move(file));
}

void SideEffects::prepare(std::size_t max_frames, std::size_t input_size) {
    if (fault_ == Fault::sizes_thread_scratch) scratch_of_this_thread().resize(max_frames * input_size);
    if (fault_ == Fault::touches_fresh_memory) {
        // A delay line as large as a loop: the system gives its pages one by one, each when it is touched.
        void* fresh = mmap(nullptr, fresh_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED) throw std::bad_alloc();
        fresh_ = static_cast<volatile char*>(fresh);
    }
    if (fault_ == Fault::grows_with_blocks) in_blocks_ = std::make_unique<char[]>(max_frames * kept_per_frame);
    if (fault_ != Fault::static_scratch) return;
    static std::map<std::size_t, std::vector<float>> blocks;  // by input size
    shared_block_ = &blocks[input_size];
    shared_block_->resize(std::max(shared_block_->size(), max_frames * input_size));
}

const float* SideEffects::before_block(const float* in, std::size_t frames, std::size_t input_size) {
    static std::mutex mutex;
    const std::size_t floats = frames * input_size;
    frames_ += frames;
    switch (fault_) {
        case Fault::prints: std::printf("processing %zu frames\n", frames); break;
        case Fault::prints_to_stderr: std::fprintf(stderr, "processing %zu frames\n", frames); break;
        case Fault::locks: { const std::lock_guard<std::mutex> lock(mutex); } break;
        case Fault::sleeps: std::this_thread::sleep_for(50us); break;
        case Fault::opens_library:
            if (void* const library = dlopen("libm.so.6", RTLD_NOW)) dlclose(library);
            break;
        case Fault::enters_kernel: raw_getppid(); break;
        case Fault::touches_fresh_memory: fresh_[frames_ / 8 * page % fresh_bytes] = 1; break;
        case Fault::leaks_fpenv:
        case Fault::fpenv_until_unload: flush_denormals(); break;
        case Fault::single_frame_fpenv:
            if (frames == 1) flush_denormals();
            break;
        case Fault::frees_unloaded: unloaded.reset(); break;
        case Fault::prints_on_nan:
            if (std::any_of(in, in + floats, [](float value) { return std::isnan(value); })) std::puts("NaN");
            break;
        case Fault::over_read: {
            const volatile float beyond = in[floats];
            static_cast<void>(beyond);
            break;
        }
        case Fault::static_scratch:
            std::copy_n(in, floats, shared_block_->data());
            return shared_block_->data();
        case Fault::alloc_first_block:
            if (!made_in_first_block_) made_in_first_block_ = std::make_unique<float[]>(input_size);
            break;
        case Fault::allocs_for_thread: {
            thread_local std::unique_ptr<float[]> made_for_thread;
            if (!made_for_thread) made_for_thread = std::make_unique<float[]>(input_size);
            break;
        }
        case Fault::throws:
            try {
                throw std::runtime_error("caught again at once");
            } catch (const std::runtime_error&) {
            }
            break;
        case Fault::sizes_thread_scratch:
            if (scratch_of_this_thread().size() < floats) scratch_of_this_thread().resize(floats);
            break;
        case Fault::prints_when_loud:
            if (std::any_of(in, in + floats, [](float value) { return std::abs(value) > 1.0f; }))
                std::fprintf(stderr, "the input is too loud\n");
            break;
        default: break;
    }
    if (!allocates_for(in, frames, floats)) return in;
    made_in_each_block_ = std::vector<float>(in, in + floats);
    return made_in_each_block_.data();
}

bool SideEffects::allocates_for(const float* in, std::size_t frames, std::size_t floats) {
    switch (fault_) {
        case Fault::alloc_each_block: return true;
        case Fault::alloc_now_and_then: return ++calls_ % calls_per_allocation == 0;
        case Fault::alloc_on_nan: return std::any_of(in, in + floats, [](float value) { return std::isnan(value); });
        case Fault::alloc_in_silence: return std::all_of(in, in + floats, [](float value) { return value == 0.0f; });
        case Fault::alloc_after_reset: return std::exchange(was_reset_, false) && frames_ != frames;
        case Fault::alloc_at_sixteen: return frames == 16;
        case Fault::alloc_in_long_block: return frames > 32;
        case Fault::alloc_on_switch: return is_switch(this);
        default: return false;
    }
}

void SideEffects::in_empty_block() {
    if (fault_ == Fault::empty_block_fpenv) flush_denormals();
    if (fault_ == Fault::alloc_in_empty_block) made_in_each_block_ = std::vector<float>(1);
}

void SideEffects::in_reset() {
    was_reset_ = true;
    if (fault_ == Fault::leaks_in_reset && frames_ != 0) lose(leaked_bytes);
    // A fresh buffer in place of one that was written to.
    if (fault_ == Fault::alloc_in_reset && frames_ != 0) made_in_each_block_ = std::vector<float>(frames_);
}

}  // namespace rtc_faulty
