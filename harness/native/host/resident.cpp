#include "resident.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

namespace rtc::host {
namespace {

constexpr std::uint64_t is_present = std::uint64_t{1} << 63;  // in an entry of pagemap
// Address space that was only set aside, as by AddressSanitizer: looking through it would take minutes.
constexpr std::uint64_t largest_mapping = std::uint64_t{1} << 30;

class File {
public:
    explicit File(const char* path) : file_(open(path, O_RDONLY | O_CLOEXEC)) {}
    ~File() {
        if (file_ >= 0) close(file_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    // The bytes that were read, or -1.
    ssize_t read(void* to, std::size_t bytes, std::uint64_t at) const {
        return pread(file_, to, bytes, static_cast<off_t>(at));
    }

private:
    int file_;
};

// By way of files and not of pointers, since a thread of the loader may unmap them meanwhile.
void recall(std::uint64_t begin, std::uint64_t end, std::uint64_t page, const File& pages, const File& memory) {
    std::array<std::uint64_t, 512> entries;
    for (std::uint64_t at = begin; at < end;) {
        const std::uint64_t wanted = std::min<std::uint64_t>((end - at) / page, entries.size());
        const ssize_t bytes = pages.read(entries.data(), wanted * sizeof entries[0], at / page * sizeof entries[0]);
        if (bytes <= 0) return;
        const std::size_t count = static_cast<std::size_t>(bytes) / sizeof entries[0];
        for (std::size_t i = 0; i < count; ++i, at += page) {
            char byte;
            if ((entries[i] & is_present) != 0) (void)memory.read(&byte, 1, at);
        }
    }
}

}  // namespace

std::int64_t resident_bytes() {
    long pages = 0;
    if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
        std::fclose(file);
    }
    return static_cast<std::int64_t>(pages) * sysconf(_SC_PAGESIZE);
}

void recall_resident() {
    const File pages("/proc/self/pagemap"), memory("/proc/self/mem");
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    std::ifstream mappings("/proc/self/maps");
    for (std::string line; std::getline(mappings, line);) {
        std::uint64_t begin = 0, end = 0;
        if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &begin, &end) == 2 && end - begin <= largest_mapping)
            recall(begin, end, page, pages, memory);
    }
}

}  // namespace rtc::host
