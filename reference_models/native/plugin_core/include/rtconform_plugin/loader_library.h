// A loader from a shared library, by the C interface of rtconform/loader.h.
#pragma once

#include <rtconform/loader.h>

#include <string>
#include <variant>
#include <vector>

namespace rtconform::plugin
{

/** All loaders of a library, in its order; otherwise a sentence about what is wrong. A library that was opened stays open
    until the process ends, because models point into it. [main-thread] */
std::variant<std::vector<const rtc_loader*>, std::string> open_loaders(const std::string& library);

/** The loader called `name`, or the only one of the library if the name is empty; otherwise as above. [main-thread] */
std::variant<const rtc_loader*, std::string> open_loader(const std::string& library, const std::string& name = {});

} // namespace rtconform::plugin
