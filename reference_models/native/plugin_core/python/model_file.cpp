// check_model_file and digest_of_file: a ModelFile, or LoadError raised with its attributes phase, json_path, message.
#include <rtconform_plugin/model_file.h>

#include <pybind11/gil_safe_call_once.h>
#include <pybind11/pybind11.h>

#include "bindings.h"

namespace py = pybind11;

namespace rtconform::plugin
{
namespace
{

PYBIND11_CONSTINIT py::gil_safe_call_once_and_store<py::object> load_error_type;

ModelFile file_or_raise(std::variant<ModelFile, LoadError> result)
{
    if(auto* file = std::get_if<ModelFile>(&result))
        return std::move(*file);
    const auto& error = std::get<LoadError>(result);
    const auto& type = load_error_type.get_stored();
    auto raised = type((error.json_path.empty() ? "" : error.json_path + ": ") + error.message);
    raised.attr("phase") = name_of(error.phase);
    raised.attr("json_path") = error.json_path;
    raised.attr("message") = error.message;
    PyErr_SetObject(type.ptr(), raised.ptr());
    throw py::error_already_set();
}

const ModelSpec& spec_named(const std::string& name)
{
    for(const auto& spec : model_specs)
        if(name == spec.name)
            return spec;
    throw py::value_error("expected the name of one of the five models, found " + name);
}

} // namespace

void bind_model_file(py::module_& module)
{
    load_error_type.call_once_and_store_result(
        [&]
        { return py::object { py::exception<LoadError>(module, "LoadError", PyExc_ValueError) }; });
    py::class_<ModelFile>(module, "ModelFile")
        .def_readonly("bytes", &ModelFile::bytes)
        .def_readonly("sha256", &ModelFile::sha256);
    module.def(
        "check_model_file",
        [](const std::string& path, const std::string& name)
        { return file_or_raise(check_model_file(path, spec_named(name))); },
        py::arg("path"), py::arg("name"));
    module.def(
        "digest_of_file", [](const std::string& path) { return file_or_raise(digest_of_file(path)); }, py::arg("path"));
}

} // namespace rtconform::plugin
