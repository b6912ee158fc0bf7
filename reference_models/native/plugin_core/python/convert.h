// Between Python's values and the plugin core's.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <rtconform_plugin/multi_model_processor.h>

#include <optional>
#include <string>
#include <vector>

namespace rtconform::plugin
{

namespace py = pybind11;
using namespace py::literals;

using Rows = py::array_t<float, py::array::c_style | py::array::forcecast>;

/** Frames as float32 [T, width]; ValueError for another shape. */
inline Rows rows(const py::object& frames, size_t width)
{
    auto array = Rows::ensure(frames);
    if(!array)
        throw py::error_already_set();
    if(array.ndim() != 2 || array.shape(1) != static_cast<py::ssize_t>(width))
        throw py::value_error("frames: expected the shape (T, " + std::to_string(width) + "), found "
            + std::string { py::str(array.attr("shape")) });
    return array;
}

inline size_t number_of(const std::string& name)
{
    std::string names;
    for(size_t m = 0; m < model_count; ++m)
    {
        if(name == model_specs[m].name)
            return m;
        names += (m > 0 ? ", " : "") + std::string { model_specs[m].name };
    }
    throw py::key_error("expected one of " + names + ", found " + name);
}

inline ModelSet set_of(const std::optional<std::vector<std::string>>& names)
{
    ModelSet models;
    if(!names)
        return models.set();
    for(const auto& name : *names)
        models.set(number_of(name));
    return models;
}

/** What `value(m)` gives for each model, by name. */
template <typename Function>
py::dict by_name(Function value)
{
    py::dict all;
    for(size_t m = 0; m < model_count; ++m)
        all[model_specs[m].name] = value(m);
    return all;
}

} // namespace rtconform::plugin
