// What the module _plugin_core is made of.
#pragma once

#include <pybind11/pybind11.h>

namespace rtconform::plugin
{

void bind_model_file(pybind11::module_& module);
void bind_front_end(pybind11::module_& module);
void bind_processors(pybind11::module_& module);
void bind_async_inference(pybind11::module_& module); // after bind_processors
void bind_ml_bridge(pybind11::module_& module);

} // namespace rtconform::plugin
