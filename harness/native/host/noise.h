// What a library writes to standard output.
#pragma once

#include <string>

namespace rtc::host {

// Moves the process's standard output to a private descriptor, for the protocol, and puts a memory file in its place.
// Made before the library is opened.
class Noise {
public:
    // Throws std::system_error.
    Noise();

    // Where the protocol goes; libraries don't know this descriptor.
    int protocol() const { return protocol_; }

    // The first 200 bytes written to standard output since the last call; empty if none.
    std::string take();

    // What is written from now on goes to where the protocol went: destructors run after the last reply.
    void end();

private:
    int protocol_;
    int caught_;
};

}  // namespace rtc::host
