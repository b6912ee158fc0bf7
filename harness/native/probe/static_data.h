// Writable static data that came into the process with the library under test.
#pragma once

#include <cstdint>
#include <set>

namespace rtc::probe {

// Made before the library is opened.
class StaticData {
public:
    StaticData();

    // Bytes of the writable segments (.data, .bss and what is made read-only after relocation) of every shared object
    // that has been mapped since: the library and whatever it brought along.
    std::uint64_t bytes() const;

private:
    std::set<std::uintptr_t> known_;
};

}  // namespace rtc::probe
