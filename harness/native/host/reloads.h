// What a main thread does to a pipeline while the audio thread runs: files change, and are reloaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../abi/pipeline.h"
#include "fields.h"

namespace rtc::host {

// A file that takes the place of another at once: copied beside it and renamed. Without a source, the place is emptied.
struct Put {
    std::string to;
    std::optional<std::string> from;
    std::optional<std::uint64_t> bytes;  // only so many of its first ones
};

struct Action {
    std::vector<Put> puts;
    std::uint32_t model;  // that is reloaded then
};

// The field "actions" of a request. Throws BadRequest.
std::vector<Action> actions_field(const Json& request, const std::string& where, const Pipeline& pipeline);

// Puts the files in their places, reloads, and asks for the status. Throws std::runtime_error for files of the
// caller's that can't be read or written. The reply says when (ns since `started_at`, by CLOCK_MONOTONIC), how long the
// reload itself took, what it returned and which versions the status had then.
Json carry_out(const Action& action, Pipeline& pipeline, std::int64_t started_at);

}  // namespace rtc::host
