// The resident set of this process: the pages of its memory that the system has at hand.
#pragma once

#include <cstdint>

namespace rtc::host {

// In bytes; 0 where the system doesn't say.
std::int64_t resident_bytes();

// Reads a byte of each resident page, so that the machine has it at hand too. A hypervisor takes memory back that was
// left alone for a second or less; to get 4.5 MiB again took up to 50 ms, which no counter of this system shows.
// Pages that were never used stay so. Nothing is read where the system doesn't say which pages are resident.
void recall_resident();

}  // namespace rtc::host
