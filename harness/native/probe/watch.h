// What a library does between entry and exit of an [audio-thread] function that loader.h forbids there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rtc::probe {

enum class Kind { malloc, free, mmap, lock, sleep, io, thread, library, syscall, throws, page_fault };

const char* name(Kind kind) noexcept;

constexpr int max_stack = 24;
constexpr std::size_t max_name = 48;

// All forbidden calls of one function, and where the first of them came from (return addresses, the innermost first).
struct Offence {
    Kind kind;
    char function[max_name];
    std::uint64_t count;
    std::uint64_t first_call;  // number of the watched call in which it was seen first
    void* stack[max_stack];
    int depth;
};

// More than there are interposed functions.
constexpr std::size_t max_offences = 192;

// On the stack of the thread that is watched: sets up what the process has to have for it, and takes it away again.
class Detectors {
public:
    Detectors() noexcept;
    ~Detectors();
    Detectors(const Detectors&) = delete;
    Detectors& operator=(const Detectors&) = delete;

    // Why offences of a kind can't be seen here; nullptr if they can.
    const char* unseen(Kind kind) const noexcept;

    // How system calls are trapped: "dispatch", or for the rest of the process "seccomp", or "none" if they aren't.
    const char* system_call_trap() const noexcept;

private:
    const char* system_calls_unseen_;
    bool sees_page_faults_;
};

// Whether a watch has left this thread with its system calls trapped until the process ends.
bool is_trapped_for_good() noexcept;

// Noted so far, in the order in which they were seen first. At most `room` are written; returns how many.
std::size_t offences(Offence* out, std::size_t room) noexcept;

// On the stack around one watched call; arms the detectors for this thread.
class Watched {
public:
    explicit Watched(std::uint64_t call) noexcept;
    ~Watched();
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

private:
    std::int64_t faults_before_;
};

// On the stack in each interposer and in the trap: notes the call if the thread is armed, and disarms it meanwhile, so
// that what libc does on behalf of one call isn't noted a second time.
class Note {
public:
    Note(Kind kind, const char* function) noexcept;
    ~Note();
    Note(const Note&) = delete;
    Note& operator=(const Note&) = delete;

private:
    bool was_armed_;
};

}  // namespace rtc::probe
