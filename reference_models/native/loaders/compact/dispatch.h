// Which instruction set computes.
#pragma once

#include "kernels.h"

#include <string>
#include <variant>

namespace rtconform::compact
{

/** The best that runs here, or the one that the environment variable RTCONFORM_COMPACT_KERNELS names; else a sentence that
    says which ones do. */
std::variant<const Kernels*, std::string> chosen_kernels();

} // namespace rtconform::compact
