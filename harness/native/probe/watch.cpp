#include "watch.h"

#include <algorithm>
#include <cstring>

namespace rtc::probe {
namespace {

Offence noted[max_offences];  // only the armed thread writes here
std::size_t noted_count = 0;

thread_local bool armed = false;
thread_local std::uint64_t current_call = 0;

void note(Kind kind, const char* function) noexcept {
    Offence* const end = noted + noted_count;
    Offence* known = std::find_if(noted, end, [&](auto& o) { return std::strcmp(o.function, function) == 0; });
    if (known != end) ++known->count;
    else if (noted_count < max_offences) noted[noted_count++] = {kind, function, 1, current_call};
}

}  // namespace

const char* name(Kind kind) noexcept {
    switch (kind) {
        case Kind::malloc: return "malloc";
        case Kind::free: return "free";
        case Kind::mmap: return "mmap";
        case Kind::lock: return "lock";
        case Kind::sleep: return "sleep";
        case Kind::io: return "io";
        case Kind::thread: return "thread";
        case Kind::syscall: return "syscall";
        case Kind::throws: return "throw";
    }
    return "";
}

void clear_offences() noexcept { noted_count = 0; }

std::size_t offences(Offence* out, std::size_t room) noexcept {
    const std::size_t count = std::min(room, noted_count);
    std::copy_n(noted, count, out);
    return count;
}

Watched::Watched(std::uint64_t call) noexcept {
    current_call = call;
    armed = true;
}

Watched::~Watched() { armed = false; }

Note::Note(Kind kind, const char* function) noexcept : was_armed_(armed) {
    if (!armed) return;
    armed = false;
    note(kind, function);
}

Note::~Note() { armed = was_armed_; }

}  // namespace rtc::probe
