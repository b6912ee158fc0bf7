#include "syscall_filter.h"

#if defined(__linux__) && defined(__x86_64__)

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "syscall_handler.h"

namespace rtc::probe::syscalls {
namespace {

constexpr auto number = offsetof(seccomp_data, nr), architecture = offsetof(seccomp_data, arch);
constexpr auto address_low = offsetof(seccomp_data, instruction_pointer), address_high = address_low + 4;

// A program for the kernel's classic BPF: each of these is one instruction, which jumps so many instructions further.
sock_filter load(std::size_t field) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(field)); }
sock_filter equal(std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
    return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
}
sock_filter at_least(std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
    return BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, value, yes, no);
}
sock_filter answer(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }

}  // namespace

bool filter_for_good() noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(rtc_syscalls_begin);
    const auto end = reinterpret_cast<std::uintptr_t>(rtc_syscalls_end);
    constexpr std::uint8_t own = std::size(callers_own);
    sock_filter program[] = {
        // Made between the labels?
        load(address_high), equal(begin >> 32, 0, 4),
        load(address_low), at_least(static_cast<std::uint32_t>(begin), 0, 2),
        at_least(static_cast<std::uint32_t>(end), 1, 0), answer(SECCOMP_RET_ALLOW),
        // One of the caller's own? Each test jumps to the end of them, and the last one falls through to the trap.
        load(architecture), equal(AUDIT_ARCH_X86_64, 0, own + 1), load(number),
        equal(callers_own[0], own, 0), equal(callers_own[1], own - 1, 0), equal(callers_own[2], own - 2, 0),
        equal(callers_own[3], own - 3, 0), equal(callers_own[4], own - 4, 0),
        answer(SECCOMP_RET_TRAP), answer(SECCOMP_RET_ALLOW)};
    static_assert(std::size(program) == 9 + own + 2, "a test for each of the caller's own");
    const sock_fprog filter{std::size(program), program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace rtc::probe::syscalls

#endif
