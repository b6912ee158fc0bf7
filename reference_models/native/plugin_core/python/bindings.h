// The parts of the module, one function for each.
#pragma once

#include <pybind11/pybind11.h>

namespace rtconform::plugin
{

void bind_front_end(pybind11::module_& module);

} // namespace rtconform::plugin
