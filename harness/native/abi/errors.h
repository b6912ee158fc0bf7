// What can go wrong between us and a library under test, as exceptions.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "rtconform/loader.h"

namespace rtc {

// There is no such loader or pipeline: not a shared library, no rtc_entry, nothing of that name.
class LibraryError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The library did what loader.h or pipeline.h forbids, such as letting an exception out or leaving out a member.
class ContractBreach : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The library refused a file, or refused to prepare or open: the ordinary outcome of a file that breaks the format.
class Refusal : public std::runtime_error {
public:
    Refusal(std::string phase, std::string json_path, const std::string& message)
        : std::runtime_error(message), phase(std::move(phase)), json_path(std::move(json_path)) {}

    const std::string phase;      // "read", "parse", "validate" or "build"
    const std::string json_path;  // such as "$.layers[2].weights[0]"; may be empty
};

}  // namespace rtc
