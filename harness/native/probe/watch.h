// What a library does between entry and exit of an [audio-thread] function that loader.h forbids there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rtc::probe {

enum class Kind { malloc, free, mmap, lock, sleep, io, thread, syscall, throws };

const char* name(Kind kind) noexcept;

// All forbidden calls of one function.
struct Offence {
    Kind kind;
    const char* function;
    std::uint64_t count;
    std::uint64_t first_call;  // number of the watched call in which it was seen first
};

// More than there are interposed functions.
constexpr std::size_t max_offences = 96;

void clear_offences() noexcept;

// Noted so far, in the order in which they were seen first. At most `room` are written; returns how many.
std::size_t offences(Offence* out, std::size_t room) noexcept;

// On the stack around one watched call; arms the interposers for this thread.
class Watched {
public:
    explicit Watched(std::uint64_t call) noexcept;
    ~Watched();
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
};

// On the stack in each interposer: notes the call if the thread is armed, and disarms it meanwhile, so that what libc
// does on behalf of one call isn't noted a second time.
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
