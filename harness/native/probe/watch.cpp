#include "watch.h"

#include <execinfo.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "syscalls.h"

namespace rtc::probe {
namespace {

Offence noted[max_offences];  // only the armed thread writes here
std::size_t noted_count = 0;

thread_local bool armed = false;
thread_local std::uint64_t current_call = 0;

void note(Kind kind, const char* function, std::uint64_t count = 1) noexcept {
    Offence* const end = noted + noted_count;
    Offence* known = std::find_if(noted, end, [&](auto& o) { return std::strcmp(o.function, function) == 0; });
    if (known != end) {
        known->count += count;
        return;
    }
    if (noted_count == max_offences) return;
    Offence& offence = noted[noted_count++];
    offence = {kind, {}, count, current_call, {}, 0};
    std::strncpy(offence.function, function, max_name - 1);
    if (kind != Kind::page_fault) offence.depth = backtrace(offence.stack, max_stack);  // which is over by then
}

// Pages that this thread had to wait for: touched for the first time, or read from a file.
std::int64_t page_faults() noexcept {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

// Whether they are counted: some sandboxes say that there were none, whatever happens.
bool counts_page_faults() noexcept {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* const fresh = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED) return false;
    const auto before = page_faults();
    *static_cast<volatile char*>(fresh) = 1;
    const bool is_counted = page_faults() > before;
    munmap(fresh, page);
    return is_counted;
}

}  // namespace

const char* name(Kind kind) noexcept {
    switch (kind) {
        case Kind::malloc: return "malloc";
        case Kind::free: return "free";
        case Kind::mmap: return "mmap";
        case Kind::lock: return "lock";
        case Kind::sleep: return "sleep";
        case Kind::io: return "io";
        case Kind::thread: return "thread";
        case Kind::library: return "library";
        case Kind::syscall: return "syscall";
        case Kind::throws: return "throw";
        case Kind::page_fault: return "page_fault";
    }
    return "";
}

std::size_t offences(Offence* out, std::size_t room) noexcept {
    const std::size_t count = std::min(room, noted_count);
    std::copy_n(noted, count, out);
    return count;
}

// The rehearsal loads the unwinder, which allocates, and touches what the detectors themselves write to.
Detectors::Detectors() noexcept : system_calls_unseen_(syscalls::start()), sees_page_faults_(counts_page_faults()) {
    {
        const Watched rehearsal(0);
        const Note noted(Kind::syscall, "rehearsal");
    }
    noted_count = 0;
}

Detectors::~Detectors() { syscalls::stop(); }

const char* Detectors::unseen(Kind kind) const noexcept {
    if (kind == Kind::syscall) return system_calls_unseen_;
    if (kind == Kind::page_fault && !sees_page_faults_) return "the kernel, or a sandbox, doesn't count page faults";
    return nullptr;
}

const char* Detectors::system_call_trap() const noexcept { return syscalls::way(); }

bool is_trapped_for_good() noexcept { return syscalls::is_for_good(); }

Watched::Watched(std::uint64_t call) noexcept : faults_before_(page_faults()) {
    current_call = call;
    armed = true;
    syscalls::trap();
}

Watched::~Watched() {
    syscalls::let_pass();
    armed = false;
    if (const auto faults = page_faults() - faults_before_; faults > 0)
        note(Kind::page_fault, "page fault", static_cast<std::uint64_t>(faults));
}

Note::Note(Kind kind, const char* function) noexcept : was_armed_(armed) {
    if (!armed) return;
    syscalls::let_pass();
    armed = false;
    note(kind, function);
}

Note::~Note() {
    if (!was_armed_) return;
    armed = true;
    syscalls::trap();
}

}  // namespace rtc::probe
