#include "ledger.h"

#include <link.h>
#include <malloc.h>
#include <sys/auxv.h>

#include <algorithm>
#include <atomic>

namespace rtc::probe::ledger {
namespace {

struct Block {
    std::uintptr_t address;  // 0: never used, 1: erased
    std::size_t bytes, rounded_up;
};
constexpr std::uintptr_t erased = 1;

struct Mapping {
    std::uintptr_t begin, end;
};

// Zero pages until touched, so the room costs only address space.
constexpr std::size_t block_slots = std::size_t{1} << 22;
constexpr std::size_t mapping_slots = std::size_t{1} << 17;  // the kernel's own limit is half of it unless it is raised
constexpr const char* out_of_block_slots =
    "The library holds more than 4,194,304 blocks of memory at once, the most that the ledger can note.";
constexpr const char* out_of_mapping_slots =
    "The library holds more than 131,072 memory mappings at once, the most that the ledger can note.";
Block blocks[block_slots];
Mapping mappings[mapping_slots];  // by address; none overlaps another
std::size_t mapping_count = 0;

std::atomic_flag busy = ATOMIC_FLAG_INIT;
std::atomic<bool> started{false};
Usage now;
std::int64_t highest = 0;
std::uintptr_t linker_begin = 0, linker_end = 0;

thread_local int depth = 0;
thread_local bool opening_library = false;
thread_local bool is_the_hosts = false;

class Lock {
public:
    Lock() { while (busy.test_and_set(std::memory_order_acquire)) {} }
    ~Lock() { busy.clear(std::memory_order_release); }
};

bool counts() {
    return started.load(std::memory_order_acquire) && (depth > 0 || !is_the_hosts);
}

void raise_peak() { highest = std::max(highest, now.total()); }

// Neighbouring blocks get neighbouring slots: few pages of the table are touched.
std::size_t slot_of(std::uintptr_t address) {
    return ((address >> 4) + (address >> 26) * 0x9E37u) & (block_slots - 1);
}

int find_linker(dl_phdr_info* info, std::size_t, void*) {
    if (info->dlpi_addr != getauxval(AT_BASE)) return 0;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& header = info->dlpi_phdr[i];
        if (header.p_type != PT_LOAD) continue;
        linker_begin = info->dlpi_addr;
        linker_end = std::max<std::uintptr_t>(linker_end, info->dlpi_addr + header.p_vaddr + header.p_memsz);
    }
    return 1;
}

// The first mapping that doesn't end before the address or at it.
std::size_t first_behind(std::uintptr_t address) {
    const auto ends_behind = [](std::uintptr_t wanted, const Mapping& mapping) { return wanted < mapping.end; };
    const Mapping* found = std::upper_bound(mappings, mappings + mapping_count, address, ends_behind);
    return static_cast<std::size_t>(found - mappings);
}

void insert(std::size_t place, const Mapping& mapping) {
    if (mapping_count == mapping_slots) {
        now.full = out_of_mapping_slots;
        return;
    }
    std::copy_backward(mappings + place, mappings + mapping_count, mappings + mapping_count + 1);
    mappings[place] = mapping;
    ++mapping_count;
}

// Takes [begin, end) out of the noted mappings; what one has in front of it or behind it stays noted.
void forget(std::uintptr_t begin, std::uintptr_t end) {
    for (std::size_t place = first_behind(begin); place < mapping_count && mappings[place].begin < end;) {
        const Mapping old = mappings[place];
        now.mapped -= std::min(old.end, end) - std::max(old.begin, begin);
        std::copy(mappings + place + 1, mappings + mapping_count, mappings + place);
        --mapping_count;
        if (old.begin < begin) insert(place++, {old.begin, begin});
        if (old.end > end) insert(place++, {end, old.end});
    }
}

}  // namespace

void start() noexcept {
    dl_iterate_phdr(find_linker, nullptr);
    is_the_hosts = true;
    started.store(true, std::memory_order_release);
}

void leave_out_this_thread() noexcept { is_the_hosts = true; }

void enter(bool opening) noexcept {
    ++depth;
    opening_library = opening;
}

void leave() noexcept {
    --depth;
    opening_library = false;
}

Usage usage() noexcept {
    const Lock lock;
    return now;
}

std::int64_t peak() noexcept {
    const Lock lock;
    return highest;
}

void restart_peak() noexcept {
    const Lock lock;
    highest = now.total();
}

void allocated(void* block, std::size_t bytes, void* caller) noexcept {
    if (block == nullptr || !counts()) return;
    const auto from = reinterpret_cast<std::uintptr_t>(caller);
    if (opening_library && from >= linker_begin && from < linker_end) return;
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    const std::size_t usable = malloc_usable_size(block), rounded_up = usable - std::min(usable, bytes);
    const Lock lock;
    std::size_t slot = slot_of(address);
    for (std::size_t tries = 0; tries < block_slots; ++tries, slot = (slot + 1) & (block_slots - 1)) {
        if (blocks[slot].address > erased) continue;
        blocks[slot] = {address, usable, rounded_up};
        now.heap += usable;
        now.rounded_up += rounded_up;
        raise_peak();
        return;
    }
    now.full = out_of_block_slots;
}

void released(void* block) noexcept {
    // Whoever frees it, on whatever thread: a block that was noted is gone.
    if (block == nullptr || !started.load(std::memory_order_acquire)) return;
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    const Lock lock;
    std::size_t slot = slot_of(address);
    for (std::size_t tries = 0; tries < block_slots; ++tries, slot = (slot + 1) & (block_slots - 1)) {
        if (blocks[slot].address == 0) return;
        if (blocks[slot].address != address) continue;
        now.heap -= blocks[slot].bytes;
        now.rounded_up -= blocks[slot].rounded_up;
        // The end of a chain needs no tombstone.
        const bool last = blocks[(slot + 1) & (block_slots - 1)].address == 0;
        blocks[slot].address = last ? 0 : erased;
        return;
    }
}

void mapped(void* address, std::size_t bytes) noexcept {
    if (!counts()) return;
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    const Lock lock;
    forget(begin, begin + bytes);  // MAP_FIXED over an older mapping replaces it
    insert(first_behind(begin), {begin, begin + bytes});
    now.mapped += bytes;
    raise_peak();
}

void unmapped(void* address, std::size_t bytes) noexcept {
    if (!started.load(std::memory_order_acquire)) return;
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    const Lock lock;
    forget(begin, begin + bytes);
}

void unmapped_from(void* address) noexcept {
    if (!started.load(std::memory_order_acquire)) return;
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    const Lock lock;
    const std::size_t place = first_behind(begin);
    if (place < mapping_count && mappings[place].begin == begin) forget(begin, mappings[place].end);
}

void program_break_moved(std::int64_t bytes) noexcept {
    if (!counts()) return;
    const Lock lock;
    now.program_break += bytes;
    raise_peak();
}

}  // namespace rtc::probe::ledger
