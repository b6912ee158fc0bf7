// Calls into a library under test.
#pragma once

#include <string>

#include "boundary.h"
#include "errors.h"

namespace rtc {

// An exception out of the library is the library's fault, whatever its type: throws ContractBreach for it, naming the
// header that forbids it.
template <typename Function>
auto cross(const char* name, Function&& function, const char* header = "loader.h") {
    try {
        const Boundary boundary;
        return function();
    } catch (...) {
        throw ContractBreach("An exception left " + std::string(name) + "(), which " + header + " forbids.");
    }
}

}  // namespace rtc
