// rtc-host: runs a loader or a pipeline of one library and speaks protocol 1, JSON lines on standard input and output.
//
//     rtc-host --library PATH [--loader NAME | --pipeline NAME] [--padding BYTES]
//
// NAME may be empty where there is only one.
//
// With padding, so many bytes are allocated before all else: what lies where in the heap, down to the cache line, is
// else the same in each process, and depends on the length of PATH.
//
// Ends with 0 after quit and at the end of its input; with 2 for another command line, with 3 and 4 when standard input
// or output is lost.
//
// It is a child process so that whatever the library does to it, be it a crash, a hang or exit(), is a result.
#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "../probe/ledger.h"
#include "noise.h"
#include "pipeline_session.h"
#include "session.h"

namespace {

constexpr int usage_error = 2;
constexpr int input_lost = 3;
constexpr int output_lost = 4;

constexpr const char* usage =
    "usage: rtc-host --library PATH [--loader NAME | --pipeline NAME] [--padding BYTES]\n";

struct Arguments {
    std::string library;
    std::optional<std::string> loader, pipeline;
    std::size_t padding = 0;
    bool valid = false;
};

Arguments parse(int count, char** values) {
    Arguments arguments;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string option = values[i];
        if (option == "--library") arguments.library = values[i + 1];
        else if (option == "--loader") arguments.loader = values[i + 1];
        else if (option == "--pipeline") arguments.pipeline = values[i + 1];
        else if (option == "--padding") arguments.padding = std::strtoul(values[i + 1], nullptr, 10);
        else return arguments;
    }
    const bool has_both = arguments.loader && arguments.pipeline;
    arguments.valid = count % 2 == 1 && !arguments.library.empty() && !has_both;
    return arguments;
}

// One line of standard input without its end; false when there are no more, with the reason in errno if there is one.
bool read_line(std::string& line) {
    static std::string pending;
    static std::size_t searched = 0;
    for (;;) {
        const std::size_t end = pending.find('\n', searched);
        if (end != std::string::npos) {
            line = pending.substr(0, end);
            pending.erase(0, end + 1);
            searched = 0;
            return true;
        }
        searched = pending.size();
        char chunk[1 << 16];
        errno = 0;
        const ssize_t count = read(STDIN_FILENO, chunk, sizeof chunk);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        pending.append(chunk, static_cast<std::size_t>(count));
    }
}

// False, with the reason in errno, when it can't be written.
bool write_line(int file, std::string line) {
    line += '\n';
    for (std::size_t done = 0; done < line.size();) {
        const ssize_t count = write(file, line.data() + done, line.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        done += static_cast<std::size_t>(count);
    }
    return true;
}

std::unique_ptr<rtc::host::Conversation> start(const Arguments& arguments) {
    if (arguments.pipeline)
        return std::make_unique<rtc::host::PipelineSession>(arguments.library, *arguments.pipeline);
    return std::make_unique<rtc::host::Session>(arguments.library, arguments.loader.value_or(""));
}

rtc::host::Json answer(rtc::host::Conversation& conversation, const std::string& line) {
    const auto request = rtc::host::Json::parse(line, nullptr, false);
    if (!request.is_discarded()) return conversation.answer(request);
    return rtc::host::Conversation::failure(nullptr, "internal", "", "The request isn't a line of JSON.", "BadRequest");
}

// The exit status of a host that can't go on, which it says to where standard error went when it began.
int lost(int complaints, const char* what, int status) {
    dprintf(complaints, "rtc-host: standard %s: %s. Has the library closed it?\n", what, std::strerror(errno));
    return status;
}

}  // namespace

int main(int count, char** values) {
    const Arguments arguments = parse(count, values);
    if (!arguments.valid) {
        std::fputs(usage, stderr);
        return usage_error;
    }
#ifdef __linux__
    // A library that never returns would outlive whoever asked, at real-time priority at worst.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
#ifdef __GLIBC__
    // Memory that a loader reads before it has written it, or behind what it asked for, holds 3.0 (bytes of 0x40) or,
    // freed before, -1.5 (0xbf) instead of the zeros that hide the mistake. The filling touches pages: before
    // page faults are counted, the operation plain_memory ends it.
    mallopt(M_PERTURB, 0xbf);
#endif
    // Never freed. Through a volatile, or the compiler sees that nobody wants the memory and takes none.
    void* volatile padding = std::malloc(arguments.padding);
    static_cast<void>(padding);
    const int complaints = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    rtc::host::Noise noise;
    rtc::probe::ledger::start();
    const auto conversation = start(arguments);
    std::string line;
    while (!conversation->finished()) {
        if (!read_line(line)) return errno == 0 ? 0 : lost(complaints, "input", input_lost);
        auto reply = answer(*conversation, line);
        if (const std::string text = noise.take(); !text.empty()) reply["noise"] = text;
        // A library's text may be anything; what isn't UTF-8 becomes U+FFFD.
        if (!write_line(noise.protocol(), reply.dump(-1, ' ', false, rtc::host::Json::error_handler_t::replace)))
            return lost(complaints, "output", output_lost);
    }
    noise.end();
    return 0;
}
