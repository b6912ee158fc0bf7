// The operation environment: what no call of a library may change in the process, for comparison before and after.
#include <unistd.h>

#include <cfenv>
#include <cinttypes>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <vector>

#include "conversation.h"

namespace rtc::host {
namespace {

// The modes of the floating-point unit, without the exception flags that ordinary arithmetic raises.
std::string floating_point_mode() {
    char text[64];
#if defined(__x86_64__)
    constexpr unsigned mxcsr_modes = 0xFFC0;
    unsigned mxcsr = 0;
    unsigned short x87 = 0;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    std::snprintf(text, sizeof text, "%04x:%04x", mxcsr & mxcsr_modes, static_cast<unsigned>(x87));
#elif defined(__aarch64__)
    unsigned long fpcr = 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    std::snprintf(text, sizeof text, "%08lx", fpcr);
#else
    std::snprintf(text, sizeof text, "%d", std::fegetround());
#endif
    return text;
}

std::string working_directory() {
    std::vector<char> path(4096);
    while (getcwd(path.data(), path.size()) == nullptr) {
        if (errno != ERANGE) return "";
        path.resize(path.size() * 2);
    }
    return path.data();
}

// Of each signal that is ignored or handled, by its number: the handler's address, and the flags.
Json handled_signals() {
    Json handled = Json::object();
    for (int signal = 1; signal < NSIG; ++signal) {
        struct sigaction action {};
        if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_DFL) continue;
        char text[48];
        std::snprintf(text, sizeof text, "%#" PRIxPTR ", flags %#x", reinterpret_cast<std::uintptr_t>(action.sa_handler),
                      static_cast<unsigned>(action.sa_flags));
        handled[std::to_string(signal)] = text;
    }
    return handled;
}

}  // namespace

Json Conversation::environment(const Json&) {
    return {{"fpenv", floating_point_mode()},
            {"locale", std::setlocale(LC_ALL, nullptr)},
            {"cwd", working_directory()},
            {"signals", handled_signals()}};
}

}  // namespace rtc::host
