// What a process has of which there is only so much: file descriptors and threads.
#pragma once

#include <cstdint>

namespace rtc::host {

struct Handles {
    std::int64_t descriptors, threads;

    static Handles now();

    // How many more there are now.
    Handles more() const;

    // The same, without the threads that end within a second.
    Handles left() const;
};

}  // namespace rtc::host
