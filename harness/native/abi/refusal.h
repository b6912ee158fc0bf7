// An rtc_error that a library has filled, as an exception.
#pragma once

#include <cstring>
#include <string>

#include "errors.h"

namespace rtc {

// A text of the library's, which may have forgotten to end it.
template <std::size_t Size>
std::string text(const char (&chars)[Size]) {
    return {chars, strnlen(chars, Size)};
}

// What the library said. Throws ContractBreach if the phase is none of loader.h's.
inline Refusal refusal(const char* function, const rtc_error& error) {
    static constexpr const char* phases[] = {nullptr, "read", "parse", "validate", "build"};
    if (error.phase < RTC_PHASE_READ || error.phase > RTC_PHASE_BUILD)
        throw ContractBreach(std::string(function) + "() returned an error with the phase " +
                             std::to_string(error.phase) + "; loader.h demands one of 1 to 4. Its message: \"" +
                             text(error.message) + "\"");
    return {phases[error.phase], text(error.json_path), text(error.message)};
}

}  // namespace rtc
