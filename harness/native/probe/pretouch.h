// Pages that any host has touched long before the first audio block, so that nobody is blamed for them.
#pragma once

namespace rtc::probe {

// A stack as deep as an audio thread's; what has been read from files so far, which is code, constants and tables of
// all libraries; the page that the clock is read from. Memory that a library allocated stays as it left it, and so does
// its writable static data.
void touch_what_hosts_touch() noexcept;

}  // namespace rtc::probe
