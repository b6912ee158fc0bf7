#include "syscalls.h"

#include "watch.h"

#if defined(__linux__) && defined(__x86_64__)

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif

// Between the two labels every system call passes, whatever the selector says: the handler makes them there on behalf
// of the library, and returns there. The kernel looks at the address behind the instruction, hence the last nop.
extern "C" const char rtc_syscalls_begin[], rtc_syscalls_end[];
extern "C" long rtc_make_syscall(long number, const long* arguments);
extern "C" void rtc_return_from_signal();
__asm__(R"(
    .text
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

bool handle(const KernelAction& action, KernelAction* old) {
    return syscall(SYS_rt_sigaction, SIGSYS, &action, old, sizeof action.mask) == 0;
}

// What the kernel calls SYSCALL_DISPATCH_FILTER_ALLOW and _BLOCK.
constexpr char allow = 0, block = 1;
constexpr int instruction_bytes = 2;
constexpr unsigned long has_restorer = 0x04000000;

volatile char selector = allow;
bool started = false;
KernelAction before;

// These can't be made in the handler's place: they give a second thread of control its registers, or what they change
// is what the return from the signal restores. They are let through, and nothing further is trapped in this call.
bool belongs_to_caller(long number) {
    switch (number) {
        case SYS_clone: case SYS_clone3: case SYS_fork: case SYS_vfork:
        case SYS_rt_sigreturn: case SYS_rt_sigprocmask: case SYS_sigaltstack: case SYS_exit:
            return true;
        default: return false;
    }
}

void on_syscall(int, siginfo_t* info, void* context) {
    selector = allow;
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const long number = info->si_syscall;
    char called[max_name];
    name(number, called, max_name);
    {
        const Note noted(Kind::syscall, called);
        const long arguments[] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                                  registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
        if (!belongs_to_caller(number)) registers[REG_RAX] = rtc_make_syscall(number, arguments);
    }  // where the trap is set again
    if (belongs_to_caller(number)) {
        registers[REG_RIP] -= instruction_bytes;  // once more, and unseen
        selector = allow;
    }
}

}  // namespace

const char* start() noexcept {
    const KernelAction action{on_syscall, SA_SIGINFO | has_restorer, rtc_return_from_signal, 0};
    if (!handle(action, &before)) return "SIGSYS can't be handled";
    started = true;
    const long room = rtc_syscalls_end - rtc_syscalls_begin;
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, rtc_syscalls_begin, room, &selector) == 0)
        return nullptr;
    stop();
    return "the kernel has no Syscall User Dispatch (Linux 5.11), or a sandbox forbids it";
}

void stop() noexcept {
    if (!started) return;
    started = false;
    prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
    handle(before, nullptr);
}

void trap() noexcept { selector = started ? block : allow; }
void let_pass() noexcept { selector = allow; }

}  // namespace rtc::probe::syscalls

#else

namespace rtc::probe::syscalls {

const char* start() noexcept { return "system calls are trapped on Linux on x86-64 only"; }
void stop() noexcept {}
void trap() noexcept {}
void let_pass() noexcept {}

}  // namespace rtc::probe::syscalls

#endif
