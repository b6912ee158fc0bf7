// How an interposer reaches the function that it stands in front of.
#pragma once

#include <dlfcn.h>

#include <atomic>
#include <cstring>

#include "watch.h"

// Interposers are linked into the program itself, whose symbols come first in the look-up of every library.
#define RTC_INTERPOSE extern "C" __attribute__((visibility("default")))

namespace rtc::probe {

// The default version of a function. Before glibc 2.36 dlsym(RTLD_NEXT) gives the oldest one (glibc bug 14932), and the
// condition variables of 2.2.5 have another layout than those that programs are compiled for.
inline void* newest(const char* name) noexcept {
#if defined(__GLIBC__) && defined(__x86_64__)
    if (std::strncmp(name, "pthread_cond_", 13) == 0)
        if (void* found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2")) return found;
#endif
    return dlsym(RTLD_NEXT, name);
}

// The next definition of a function after ours. Constant-initialised, since interposers run before any constructor.
template <typename Function>
class Next {
public:
    explicit constexpr Next(const char* name, void* (*find)(const char* name) noexcept = newest)
        : name_(name), find_(find) {}

    Function* get() noexcept {
        void* found = found_.load(std::memory_order_relaxed);
        if (found == nullptr) {
            found = find_(name_);
            found_.store(found, std::memory_order_relaxed);
        }
        return reinterpret_cast<Function*>(found);
    }

    // The same, with the call noted before.
    Function* noted(Kind kind, const char* function) noexcept {
        const Note note(kind, function);
        return get();
    }

private:
    const char* name_;
    void* (*find_)(const char* name) noexcept;
    std::atomic<void*> found_{nullptr};
};

}  // namespace rtc::probe

// A function with a fixed list of parameters, passed on unchanged.
#define RTC_PASS_ON(kind, result, name, parameters, arguments)           \
    RTC_INTERPOSE result name parameters {                               \
        static ::rtc::probe::Next<result parameters> next(#name);        \
        const ::rtc::probe::Note note(::rtc::probe::Kind::kind, #name);  \
        return next.get() arguments;                                     \
    }
