// The line between our code and a library under test.
#pragma once

namespace rtc {

// On the stack around every call into a library, and around opening it. A program that links abi/ also links one
// definition of the two functions: probe/boundary.cpp (rtc-host) accounts for what the library does inside,
// abi/boundary_plain.cpp (the Python module) does nothing.
class Boundary {
public:
    enum class Crossing { open, call };

    explicit Boundary(Crossing crossing = Crossing::call) noexcept;
    ~Boundary();
    Boundary(const Boundary&) = delete;
    Boundary& operator=(const Boundary&) = delete;
};

}  // namespace rtc
