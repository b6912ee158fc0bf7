// Requests to valgrind's callgrind, which may or may not be running this process.
#pragma once

namespace rtc::probe::callgrind {

// Each request is a sequence of instructions that changes nothing and that valgrind recognises. Sequence and numbers
// are its interface, as <valgrind/valgrind.h> and <valgrind/callgrind.h> state it for x86-64 on Linux; written down
// here, they need no header at the time of building. Elsewhere a request does nothing.
enum class Request : unsigned long {
    running_on_valgrind = 0x1001,
    dump_stats = 0x43540000,  // 'C' 'T', and a number
    start_instrumentation = 0x43540004,
    stop_instrumentation = 0x43540005,
};

// What valgrind answers; 0 without it.
inline unsigned long ask(Request request) noexcept {
    unsigned long answer = 0;
#if defined(__x86_64__) && defined(__linux__)
    const volatile unsigned long arguments[6] = {static_cast<unsigned long>(request)};
    __asm__ volatile(
        "rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi; xchgq %%rbx, %%rbx"
        : "+d"(answer)
        : "a"(&arguments[0])
        : "cc", "memory");
#else
    static_cast<void>(request);
#endif
    return answer;
}

}  // namespace rtc::probe::callgrind
