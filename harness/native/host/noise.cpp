#include "noise.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <system_error>

namespace rtc::host {
namespace {

constexpr std::size_t shown_bytes = 200;

int checked(int result, const char* what) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), what);
    return result;
}

}  // namespace

Noise::Noise() {
    // Not inherited by processes that the library may start.
    protocol_ = checked(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), "standard output can't be duplicated");
    caught_ = checked(memfd_create("rtc-host-stdout", MFD_CLOEXEC), "no memory file for standard output");
    checked(dup2(caught_, STDOUT_FILENO), "standard output can't be replaced");
}

std::string Noise::take() {
    // What is still in a buffer belongs to the operation that has just ended. The buffers are two if the library has
    // called sync_with_stdio(false).
    std::fflush(stdout);
    std::cout.flush();
    char text[shown_bytes];
    const ssize_t count = pread(caught_, text, sizeof text, 0);
    if (count <= 0) return {};
    if (ftruncate(caught_, 0) == 0) lseek(caught_, 0, SEEK_SET);
    return {text, static_cast<std::size_t>(count)};
}

void Noise::end() { dup2(protocol_, STDOUT_FILENO); }

}  // namespace rtc::host
