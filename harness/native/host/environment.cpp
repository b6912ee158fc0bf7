#include "environment.h"

#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cfenv>
#include <cinttypes>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <exception>
#include <locale>
#include <new>
#include <sstream>
#include <string_view>
#include <vector>

#include "digest.h"

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

template <typename Pointer>
std::string address(Pointer pointer) {
    char text[24];
    std::snprintf(text, sizeof text, "%#" PRIxPTR, reinterpret_cast<std::uintptr_t>(pointer));
    return text;
}

// The locale of this thread, which stands in front of that of the process.
std::string thread_locale() {
    const locale_t current = uselocale(nullptr);
    return current == LC_GLOBAL_LOCALE ? "" : address(current);
}

// Its name, which is * for one that was put together, and a number as it writes it.
std::string cpp_locale() {
    std::ostringstream text;
    text << std::locale().name() << ' ' << 1234.5;
    return text.str();
}

Json blocked_signals() {
    Json blocked = Json::array();
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    for (int signal = 1; signal < NSIG; ++signal)
        if (sigismember(&mask, signal) == 1) blocked.push_back(signal);
    return blocked;
}

// Of each variable a digest: its value may be secret.
Json environment_variables() {
    Json variables = Json::object();
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
        const std::string_view text(*each);
        const std::size_t end = std::min(text.find('='), text.size());
        char value[24];
        std::snprintf(value, sizeof value, "%016" PRIx64, digest(text.substr(end)));
        variables[std::string(text.substr(0, end))] = value;
    }
    return variables;
}

std::string file_mode_mask() {
    const mode_t mask = umask(0);
    umask(mask);
    char text[8];
    std::snprintf(text, sizeof text, "%03o", static_cast<unsigned>(mask));
    return text;
}

// What is behind standard input, output and error.
Json standard_streams() {
    Json streams = Json::array();
    for (int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        struct stat status {};
        const bool is_open = fstat(file, &status) == 0;
        streams.push_back(is_open ? std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) : "closed");
    }
    return streams;
}

}  // namespace

Json environment_now() {
    return {{"fpenv", floating_point_mode()},
            {"locale", std::setlocale(LC_ALL, nullptr)},
            {"thread_locale", thread_locale()},
            {"cpp_locale", cpp_locale()},
            {"cwd", working_directory()},
            {"signals", handled_signals()},
            {"blocked_signals", blocked_signals()},
            {"variables", environment_variables()},
            {"umask", file_mode_mask()},
            {"streams", standard_streams()},
            {"terminate_handler", address(std::get_terminate())},
            {"new_handler", address(std::get_new_handler())}};
}

}  // namespace rtc::host
