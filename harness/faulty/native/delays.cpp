#include "delays.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace rtc_faulty {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t frames_per_spike = 200;
constexpr std::uint64_t honest_calls = 499;
constexpr std::int64_t quick_ns = 50'000'000;
constexpr std::int64_t slow_ns = 3'000'000;  // five models make a late step of it
constexpr std::int64_t slow_ns_per_frame = 10'000;
constexpr std::int64_t very_slow_ns = 100'000'000;  // beside a block of several frames
constexpr std::int64_t pause_ns = 60'000'000, long_pause_ns = 500'000'000;
constexpr std::uint64_t untiring_calls = 2400;
constexpr std::size_t unpacked_models = 8;
constexpr std::size_t dear_frames = 100, dear_size = 256, waiting_frames = 32;
constexpr std::size_t most_dear_frames = 64;  // or trying them takes minutes
bool has_unloaded = false;

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch() / 1ns; }

void spin(std::int64_t nanoseconds) {
    for (const std::int64_t end = now_ns() + nanoseconds; now_ns() < end;) {}
}

// Notes who is used, and says whether it was among those used last.
bool use(const void* user) {
    static std::vector<const void*> latest;
    const auto found = std::find(latest.begin(), latest.end(), user);
    const bool was_there = found != latest.end();
    if (was_there) latest.erase(found);
    latest.push_back(user);
    if (latest.size() > unpacked_models) latest.erase(latest.begin());
    return was_there;
}

// Says whether this thread has met this user before.
bool is_known_to_thread(const void* user) {
    thread_local std::set<const void*> known;
    return !known.insert(user).second;
}

bool is_silent(const float* in, std::size_t floats) {
    return std::none_of(in, in + floats, [](float value) { return std::isnormal(value); });
}

}  // namespace

Delays::Delays(Fault fault) : fault_(fault), is_reload_(has_unloaded) {}

Delays::~Delays() { has_unloaded = true; }

void Delays::prepare() {
    if (fault_ == Fault::unpacks_on_switch) use(this);
}

void Delays::before_block(const float* in, std::size_t frames, std::size_t input_size) {
    const std::size_t floats = frames * input_size;
    frames_ += frames;
    frames_since_reset_ += frames;
    switch (fault_) {
        case Fault::sleeps_12ms: std::this_thread::sleep_for(12ms); break;
        case Fault::spikes:
            if (frames_ / frames_per_spike != (frames_ - frames) / frames_per_spike) spin(12'000'000);
            break;
        case Fault::remembers_inputs:
            // Found in a table of what was asked before, as in a test that always asks the same.
            if (remembered_.emplace(in, in + floats).second) spin(slow_ns);
            break;
        case Fault::unpacks_on_switch:
            if (!use(this)) spin(slow_ns);
            break;
        case Fault::slow_first_block:
            if (frames_ == frames) spin(slow_ns);
            break;
        case Fault::slow_after_reset:
            spin(slow_ns_per_frame * static_cast<std::int64_t>(frames_before_reset_));
            frames_before_reset_ = 0;
            break;
        case Fault::slow_after_reload:
            if (is_reload_ && frames_ == frames) spin(slow_ns);
            break;
        case Fault::slow_first_large:
            if (frames > 1 && !had_large_block_) spin(very_slow_ns);
            had_large_block_ |= frames > 1;
            break;
        case Fault::slow_after_pause:
        case Fault::slow_after_rest: {
            // As a helper thread that spins for a while, and then has to be woken.
            const std::int64_t longest = fault_ == Fault::slow_after_pause ? pause_ns : long_pause_ns;
            if (last_call_ns_ != 0 && now_ns() - last_call_ns_ > longest) spin(slow_ns);
            last_call_ns_ = now_ns();
            break;
        }
        case Fault::slow_on_thread:
            // Scratch memory and packed weights in thread_local variables.
            if (made_by_ != std::this_thread::get_id() && !is_known_to_thread(this)) spin(slow_ns);
            break;
        case Fault::slow_in_silence:
            if (is_silent(in, floats)) spin(4 * slow_ns);
            break;
        case Fault::tires:
            if (++calls_ > untiring_calls && calls_ % 8 == 0) spin(slow_ns);
            break;
        case Fault::waits_in_blocks:
            if (frames > waiting_frames) std::this_thread::sleep_for(12ms);
            break;
        case Fault::dear_when_fresh:
            is_dear_ = frames > 1 && frames <= most_dear_frames && remembered_.emplace(in, in + floats).second;
            break;
        case Fault::dear_now_and_then:
            is_dear_ = frames > 1 && frames <= most_dear_frames && ++calls_ % 4 == 0;
            break;
        case Fault::dear_at_256:
            is_dear_ = frames == dear_size;
            break;
        case Fault::dear_blocks:
            is_dear_ = frames > dear_frames;
            break;
        default: break;
    }
    if (is_dear_) block_began_ns_ = now_ns();  // only then: where the clock is a system call, it would be an offence
}

void Delays::after_block(float* out, std::size_t floats) {
    // As if computed anew for each of several parts.
    if (is_dear_) spin((fault_ == Fault::dear_now_and_then ? 9 : 2) * (now_ns() - block_began_ns_));
    if (fault_ != Fault::cheats_when_timed) return;
    const std::int64_t now = now_ns();
    calls_in_quick_succession_ = now - last_call_ns_ < quick_ns ? calls_in_quick_succession_ + 1 : 1;
    last_call_ns_ = now;
    if (calls_in_quick_succession_ > honest_calls) std::fill_n(out, floats, 0.0f);
}

void Delays::in_reset() {
    frames_before_reset_ = frames_since_reset_;
    frames_since_reset_ = 0;
    if (fault_ == Fault::slow_reset) spin(slow_ns);
}

}  // namespace rtc_faulty
