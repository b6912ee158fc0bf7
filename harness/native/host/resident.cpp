#include "resident.h"

#include <unistd.h>

#include <cstdio>

namespace rtc::host {

std::int64_t resident_bytes() {
    long pages = 0;
    if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
        std::fclose(file);
    }
    return static_cast<std::int64_t>(pages) * sysconf(_SC_PAGESIZE);
}

}  // namespace rtc::host
