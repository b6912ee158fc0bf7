// Loaders that each hold a megabyte per model in another way.
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <new>

#include "rtconform/loader.h"

struct rtc_model {
    void* held;
    int id;
};

namespace {

constexpr std::size_t megabyte = 1 << 20;

void* take_new(rtc_model*) { return ::operator new(megabyte); }
void give_new(rtc_model* model) { ::operator delete(model->held); }

void* take_aligned(rtc_model*) { return aligned_alloc(64, megabyte); }
void give_aligned(rtc_model* model) { free(model->held); }

void* take_mapping(rtc_model*) {
    return mmap(nullptr, megabyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
void* take_memory_file(rtc_model*) {
    const int file = memfd_create("held", 0);
    void* address = ftruncate(file, megabyte) == 0
                        ? mmap(nullptr, megabyte, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                        : MAP_FAILED;
    close(file);
    return address;
}
void give_mapping(rtc_model* model) { munmap(model->held, megabyte); }

// A megabyte in as many mappings as pages: of twice as many each second one is given back.
void* take_pieces(rtc_model*) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* begin = mmap(nullptr, 2 * megabyte, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (std::size_t at = 0; at < 2 * megabyte; at += 2 * page) munmap(static_cast<char*>(begin) + at, page);
    return begin;
}
void give_pieces(rtc_model* model) { munmap(model->held, 2 * megabyte); }

void* take_system_call(rtc_model*) {
    return reinterpret_cast<void*>(
        syscall(SYS_mmap, nullptr, megabyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
void give_system_call(rtc_model* model) { syscall(SYS_munmap, model->held, megabyte); }

void* take_segment(rtc_model* model) {
    model->id = shmget(IPC_PRIVATE, megabyte, IPC_CREAT | 0600);
    void* address = shmat(model->id, nullptr, 0);
    shmctl(model->id, IPC_RMID, nullptr);
    return address;
}
void give_segment(rtc_model* model) { shmdt(model->held); }

template <void* (*take)(rtc_model*)>
rtc_status load(const char*, rtc_model** model, rtc_error*) {
    *model = new rtc_model{};
    (*model)->held = take(*model);
    return RTC_OK;
}
template <void (*give)(rtc_model*)>
void unload(rtc_model* model) {
    if (give != nullptr) give(model);
    delete model;
}
rtc_status prepare(rtc_model*, std::uint32_t, rtc_error*) { return RTC_OK; }
std::uint32_t one(const rtc_model*) { return 1; }
void reset(rtc_model*) {}
void process(rtc_model*, const float*, float* out, std::uint32_t frames) { std::fill_n(out, frames, 0.0f); }
void keep(rtc_model*) {}

const char* const layer_types[] = {"dense", nullptr};

template <void* (*take)(rtc_model*), void (*give)(rtc_model*)>
rtc_loader named(const char* name) {
    return {RTC_ABI_VERSION, name,         "1", "f32", layer_types, load<take>, prepare,
            unload<give>,    one,          one, reset, process,     nullptr};
}

}  // namespace

extern "C" const void* rtc_entry(const char*, std::uint32_t index) {
    static const rtc_loader loaders[] = {
        named<take_new, give_new>("new"),
        named<take_aligned, give_aligned>("aligned"),
        named<take_mapping, give_mapping>("mapping"),
        named<take_memory_file, give_mapping>("memory_file"),
        named<take_pieces, give_pieces>("pieces"),
        named<take_system_call, give_system_call>("system_call"),
        named<take_segment, give_segment>("segment"),
        named<take_segment, keep>("segment_kept"),
    };
    return index < std::size(loaders) ? &loaders[index] : nullptr;
}
