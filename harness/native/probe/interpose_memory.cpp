// Interposers for everything that hands out or takes back memory.
//
// glibc's own names for its allocator are called directly: dlsym, the usual way to the next definition, may itself
// allocate. Mappings are noted where all of them pass, in the interposer of syscall.
#include <malloc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <limits>

#include "interpose.h"
#include "ledger.h"
#include "watch.h"

using rtc::probe::Kind;
using rtc::probe::Next;
using rtc::probe::Note;
namespace ledger = rtc::probe::ledger;

#define RTC_CALLER __builtin_extract_return_addr(__builtin_return_address(0))

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

RTC_INTERPOSE void* malloc(size_t bytes) {
    const Note note(Kind::malloc, "malloc");
    void* block = __libc_malloc(bytes);
    ledger::allocated(block, bytes, RTC_CALLER);
    return block;
}

RTC_INTERPOSE void* calloc(size_t count, size_t bytes) {
    const Note note(Kind::malloc, "calloc");
    void* block = __libc_calloc(count, bytes);
    ledger::allocated(block, count * bytes, RTC_CALLER);
    return block;
}

RTC_INTERPOSE void* realloc(void* old, size_t bytes) {
    const Note note(Kind::malloc, "realloc");
    // Taken off before the call: afterwards another thread may own the old address.
    ledger::released(old);
    void* block = __libc_realloc(old, bytes);
    const bool failed = block == nullptr && bytes != 0;
    ledger::allocated(failed ? old : block, bytes, RTC_CALLER);
    return block;
}

RTC_INTERPOSE void free(void* block) {
    // free(NULL) does nothing and is no offence.
    if (block == nullptr) return;
    const Note note(Kind::free, "free");
    ledger::released(block);
    __libc_free(block);
}

RTC_INTERPOSE void* memalign(size_t alignment, size_t bytes) {
    const Note note(Kind::malloc, "memalign");
    void* block = __libc_memalign(alignment, bytes);
    ledger::allocated(block, bytes, RTC_CALLER);
    return block;
}

RTC_INTERPOSE void* aligned_alloc(size_t alignment, size_t bytes) {
    const Note note(Kind::malloc, "aligned_alloc");
    void* block = __libc_memalign(alignment, bytes);
    ledger::allocated(block, bytes, RTC_CALLER);
    return block;
}

RTC_INTERPOSE int posix_memalign(void** out, size_t alignment, size_t bytes) {
    const Note note(Kind::malloc, "posix_memalign");
    const bool power_of_two = alignment != 0 && (alignment & (alignment - 1)) == 0;
    if (!power_of_two || alignment % sizeof(void*) != 0) return EINVAL;
    void* block = __libc_memalign(alignment, bytes);
    if (block == nullptr) return ENOMEM;
    ledger::allocated(block, bytes, RTC_CALLER);
    *out = block;
    return 0;
}

RTC_INTERPOSE void* valloc(size_t bytes) {
    const Note note(Kind::malloc, "valloc");
    void* block = __libc_memalign(static_cast<size_t>(sysconf(_SC_PAGESIZE)), bytes);
    ledger::allocated(block, bytes, RTC_CALLER);
    return block;
}

RTC_INTERPOSE void* pvalloc(size_t bytes) {
    const Note note(Kind::malloc, "pvalloc");
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void* block = bytes > SIZE_MAX - page ? nullptr : __libc_memalign(page, (bytes + page - 1) / page * page);
    ledger::allocated(block, bytes, RTC_CALLER);
    return block;
}

RTC_INTERPOSE int malloc_trim(size_t pad) {
    static Next<int(size_t)> next("malloc_trim");
    const Note note(Kind::free, "malloc_trim");
    return next.get()(pad);
}

RTC_INTERPOSE void* mmap(void* wish, size_t bytes, int protection, int flags, int file, off_t offset) {
    const Note note(Kind::mmap, "mmap");
    return reinterpret_cast<void*>(syscall(SYS_mmap, wish, bytes, protection, flags, file, offset));
}

RTC_INTERPOSE void* mmap64(void* wish, size_t bytes, int protection, int flags, int file, off64_t offset) {
    return mmap(wish, bytes, protection, flags, file, offset);
}

RTC_INTERPOSE int munmap(void* address, size_t bytes) {
    const Note note(Kind::mmap, "munmap");
    return static_cast<int>(syscall(SYS_munmap, address, bytes));
}

RTC_INTERPOSE void* mremap(void* old, size_t old_bytes, size_t new_bytes, int flags, ...) {
    const Note note(Kind::mmap, "mremap");
    va_list more;
    va_start(more, flags);
    void* wish = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void*) : nullptr;
    va_end(more);
    return reinterpret_cast<void*>(syscall(SYS_mremap, old, old_bytes, new_bytes, flags, wish));
}

RTC_INTERPOSE void* shmat(int id, const void* wish, int flags) {
    static Next<void*(int, const void*, int)> next("shmat");
    const Note note(Kind::mmap, "shmat");
    void* address = next.get()(id, wish, flags);
    shmid_ds segment{};
    if (address != reinterpret_cast<void*>(-1) && shmctl(id, IPC_STAT, &segment) == 0)
        ledger::mapped(address, segment.shm_segsz);
    return address;
}

RTC_INTERPOSE int shmdt(const void* address) {
    static Next<int(const void*)> next("shmdt");
    const Note note(Kind::mmap, "shmdt");
    ledger::unmapped_from(const_cast<void*>(address));
    return next.get()(address);
}

RTC_INTERPOSE void* sbrk(intptr_t bytes) {
    static Next<void*(intptr_t)> next("sbrk");
    const Note note(Kind::mmap, "sbrk");
    void* before = next.get()(bytes);
    if (before != reinterpret_cast<void*>(-1)) ledger::program_break_moved(bytes);
    return before;
}

RTC_INTERPOSE int brk(void* end) {
    static Next<int(void*)> next("brk");
    static Next<void*(intptr_t)> next_sbrk("sbrk");
    const Note note(Kind::mmap, "brk");
    const char* before = static_cast<char*>(next_sbrk.get()(0));
    const int result = next.get()(end);
    if (result == 0) ledger::program_break_moved(static_cast<char*>(end) - before);
    return result;
}
