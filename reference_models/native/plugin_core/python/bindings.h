// What the module _plugin_core is made of.
#pragma once

#include <pybind11/pybind11.h>

namespace rtconform::plugin
{

void bind_processors(pybind11::module_& module);
void bind_async_inference(pybind11::module_& module); // after bind_processors

} // namespace rtconform::plugin
