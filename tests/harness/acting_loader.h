// A loader that does one thing in every block, and gives out what came of it: 1 if it worked, else 0.
#pragma once

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "rtconform/loader.h"

struct rtc_model {
    char* fresh = nullptr;  // memory that nobody has touched
    std::size_t touched = 0;
    bool is_used = false;
    std::vector<float> history;
};

namespace acting {

constexpr std::size_t page = 4096, fresh_bytes = 64 * page;

inline rtc_status load(const char*, rtc_model** model, rtc_error*) {
    *model = new rtc_model;
    void* fresh = mmap(nullptr, fresh_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(fresh, fresh_bytes, MADV_NOHUGEPAGE);
    (*model)->fresh = static_cast<char*>(fresh);
    // As some do around the start of a thread, and forget to undo.
    sigset_t trap;
    sigemptyset(&trap);
    sigaddset(&trap, SIGSYS);
    sigprocmask(SIG_BLOCK, &trap, nullptr);
    return RTC_OK;
}
inline rtc_status prepare(rtc_model*, std::uint32_t, rtc_error*) { return RTC_OK; }
inline void unload(rtc_model* model) {
    munmap(model->fresh, fresh_bytes);
    delete model;
}
inline std::uint32_t one(const rtc_model*) { return 1; }
inline void reset(rtc_model* model) {
    if (model->is_used) model->history.assign(64, 0.0f);
}

template <bool (*act)(rtc_model*)>
void process(rtc_model* model, const float*, float* out, std::uint32_t frames) {
    std::fill_n(out, frames, act(model) ? 1.0f : 0.0f);
}

inline const char* const layer_types[] = {"dense", nullptr};

template <bool (*act)(rtc_model*)>
rtc_loader named(const char* name) {
    return {RTC_ABI_VERSION, name, "1",   "f32", layer_types, load, prepare,
            unload,          one,  one, reset, process<act>, nullptr};
}

}  // namespace acting

#define RTC_ACTING(act) acting::named<act>(#act)
