#include "syscall_handler.h"

#if defined(__linux__) && defined(__x86_64__)

#include <linux/audit.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "syscalls.h"
#include "watch.h"

// The filter compares the lower halves of addresses, so no multiple of 4 GiB may lie between the labels.
extern "C" long rtc_make_syscall(long number, const long* arguments);
extern "C" long rtc_make_32_bit_syscall(long number, const long* arguments);
extern "C" void rtc_return_from_signal();
__asm__(R"(
    .text
    .balign 256
    .globl rtc_syscalls_begin, rtc_syscalls_end
    .hidden rtc_syscalls_begin, rtc_syscalls_end
rtc_syscalls_begin:
    .type rtc_make_syscall, @function
rtc_make_syscall:
    movq %rdi, %rax
    movq %rsi, %rcx
    movq 0(%rcx), %rdi
    movq 8(%rcx), %rsi
    movq 16(%rcx), %rdx
    movq 24(%rcx), %r10
    movq 32(%rcx), %r8
    movq 40(%rcx), %r9
    syscall
    ret
    .type rtc_make_32_bit_syscall, @function
rtc_make_32_bit_syscall:
    pushq %rbx
    pushq %rbp
    movq %rdi, %rax
    movq %rsi, %r8
    movl 0(%r8), %ebx
    movl 8(%r8), %ecx
    movl 16(%r8), %edx
    movl 24(%r8), %esi
    movl 32(%r8), %edi
    movl 40(%r8), %ebp
    int $0x80
    popq %rbp
    popq %rbx
    ret
rtc_return_from_signal:
    movq $15, %rax
    syscall
    nop
rtc_syscalls_end:
)");

namespace rtc::probe::syscalls {
namespace {

// glibc's sigaction would have its own return from the signal, which would be trapped in turn.
struct KernelAction {
    void (*handler)(int, siginfo_t*, void*);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};

constexpr int instruction_bytes = 2;  // both of syscall and of int $0x80
constexpr unsigned long has_restorer = 0x04000000;
using SignalMask = unsigned long;  // the kernel's: a bit per signal, from 1 on

volatile unsigned long count = 0;
KernelAction before;

bool set_action(const KernelAction& action, KernelAction* old) {
    return syscall(SYS_rt_sigaction, SIGSYS, &action, old, sizeof(SignalMask)) == 0;
}

bool is_callers_own(long number) {
    return std::find(std::begin(callers_own), std::end(callers_own), number) != std::end(callers_own);
}

// Makes the call, and has its effects outlive the handler: the return from a signal restores what was there before.
// SIGSYS stays unblocked, since a trap while it is blocked is the end of the process.
long carry_out(long number, const long* arguments, ucontext_t& interrupted) {
    const long result = rtc_make_syscall(number, arguments);
    if (number == SYS_rt_sigprocmask) {
        SignalMask mask = 0;
        const long read[6] = {SIG_BLOCK, 0, reinterpret_cast<long>(&mask), sizeof mask};
        rtc_make_syscall(SYS_rt_sigprocmask, read);
        mask &= ~(SignalMask{1} << (SIGSYS - 1));
        std::memcpy(&interrupted.uc_sigmask, &mask, sizeof mask);
    } else if (number == SYS_sigaltstack) {
        const long read[6] = {0, reinterpret_cast<long>(&interrupted.uc_stack)};
        rtc_make_syscall(SYS_sigaltstack, read);
    }
    return result;
}

void on_syscall(int, siginfo_t* info, void* context) {
    let_pass();
    count = count + 1;
    auto& interrupted = *static_cast<ucontext_t*>(context);
    auto& registers = interrupted.uc_mcontext.gregs;
    const long number = info->si_syscall;
    const bool has_32_bits = info->si_arch != AUDIT_ARCH_X86_64;
    const bool is_let_through = !has_32_bits && is_callers_own(number);
    char called[max_name];
    if (has_32_bits) std::snprintf(called, max_name, "system call by int 0x80");
    else name(number, called, max_name);
    {
        const Note noted(Kind::syscall, called);
        if (has_32_bits) {
            const long arguments[] = {registers[REG_RBX], registers[REG_RCX], registers[REG_RDX],
                                      registers[REG_RSI], registers[REG_RDI], registers[REG_RBP]};
            registers[REG_RAX] = rtc_make_32_bit_syscall(number, arguments);
        } else if (!is_let_through) {
            const long arguments[] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                                      registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
            registers[REG_RAX] = carry_out(number, arguments, interrupted);
        }
    }  // where the trap is set again
    if (is_let_through) {
        registers[REG_RIP] -= instruction_bytes;  // once more, and unseen; nothing further is trapped in this call
        let_pass();
    }
}

}  // namespace

bool handle_trapped() noexcept {
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGSYS);
    pthread_sigmask(SIG_UNBLOCK, &mine, nullptr);  // the library may have left it blocked
    // Within the handler the same signals are blocked as in front of it, which is what carry_out relies on.
    const KernelAction action{on_syscall, SA_SIGINFO | SA_NODEFER | has_restorer, rtc_return_from_signal, 0};
    return set_action(action, &before);
}

void handle_no_more() noexcept { set_action(before, nullptr); }

unsigned long trapped() noexcept { return count; }

}  // namespace rtc::probe::syscalls

#endif
