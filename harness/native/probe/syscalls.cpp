#include "syscalls.h"

#if defined(__linux__) && defined(__x86_64__)

#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "syscall_filter.h"
#include "syscall_handler.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif

namespace rtc::probe::syscalls {
namespace {

enum class Way { none, dispatch, seccomp };

// What the kernel calls SYSCALL_DISPATCH_FILTER_ALLOW and _BLOCK.
constexpr char allow = 0, block = 1;

volatile char selector = allow;
Way way_now = Way::none;

bool dispatch(bool on) {
    if (!on) return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) == 0;
    const long room = rtc_syscalls_end - rtc_syscalls_begin;
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, rtc_syscalls_begin, room, &selector) == 0;
}

// Whether a call comes to the handler: a sandbox may accept all of it and do nothing.
bool is_trapped() {
    const auto before = trapped();
    trap();
    getppid();
    let_pass();
    return trapped() != before;
}

bool start_by(Way way) {
    if (!handle_trapped()) return false;
    way_now = way;
    const bool is_taken = way == Way::dispatch ? dispatch(true) : filter_for_good();
    if (is_taken && is_trapped()) return true;
    dispatch(false);
    way_now = Way::none;
    handle_no_more();
    return false;
}

}  // namespace

const char* start() noexcept {
    if (is_for_good()) return nullptr;
    const char* const given = std::getenv("RTCONFORM_SYSCALL_TRAP");
    const std::string_view only = given == nullptr ? "" : given;
    if ((only.empty() || only == "dispatch") && start_by(Way::dispatch)) return nullptr;
    if ((only.empty() || only == "seccomp") && start_by(Way::seccomp)) return nullptr;
    if (only.empty())
        return "the kernel has neither Syscall User Dispatch (Linux 5.11) nor seccomp filters, or a sandbox forbids them";
    if (only == "dispatch") return "the kernel has no Syscall User Dispatch (Linux 5.11), or a sandbox forbids it";
    if (only == "seccomp") return "the kernel has no seccomp filters, or a sandbox forbids them";
    if (only == "none") return "RTCONFORM_SYSCALL_TRAP is none";
    return "RTCONFORM_SYSCALL_TRAP is neither dispatch nor seccomp nor none";
}

void stop() noexcept {
    if (way_now != Way::dispatch) return;
    dispatch(false);
    way_now = Way::none;
    handle_no_more();
}

void trap() noexcept { selector = way_now == Way::dispatch ? block : allow; }
void let_pass() noexcept { selector = allow; }

const char* way() noexcept {
    return way_now == Way::dispatch ? "dispatch" : way_now == Way::seccomp ? "seccomp" : "none";
}

bool is_for_good() noexcept { return way_now == Way::seccomp; }

}  // namespace rtc::probe::syscalls

#else

namespace rtc::probe::syscalls {

const char* start() noexcept { return "system calls are trapped on Linux on x86-64 only"; }
void stop() noexcept {}
void trap() noexcept {}
void let_pass() noexcept {}
const char* way() noexcept { return "none"; }
bool is_for_good() noexcept { return false; }

}  // namespace rtc::probe::syscalls

#endif
