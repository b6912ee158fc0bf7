// How an interposer reaches the function that it stands in front of.
#pragma once

#include <dlfcn.h>

#include <atomic>

// Interposers are linked into the program itself, whose symbols come first in the look-up of every library.
#define RTC_INTERPOSE extern "C" __attribute__((visibility("default")))

namespace rtc::probe {

// The next definition of a function after ours. Constant-initialised, since interposers run before any constructor.
template <typename Function>
class Next {
public:
    explicit constexpr Next(const char* name) : name_(name) {}

    Function* get() noexcept {
        void* found = found_.load(std::memory_order_relaxed);
        if (found == nullptr) {
            found = dlsym(RTLD_NEXT, name_);
            found_.store(found, std::memory_order_relaxed);
        }
        return reinterpret_cast<Function*>(found);
    }

private:
    const char* name_;
    std::atomic<void*> found_{nullptr};
};

}  // namespace rtc::probe
