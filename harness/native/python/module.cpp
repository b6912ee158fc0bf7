// rtconform.harness._native: the same libraries as rtc-host runs, in this process. For property tests with thousands
// of small models; a crash in a library is a crash of the interpreter.
#include <pybind11/gil_safe_call_once.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <mutex>

#include "../abi/errors.h"
#include "../abi/library.h"
#include "../abi/model.h"
#include "reading.h"

namespace py = pybind11;

namespace {

std::string shape_of(const py::array& array) { return py::str(array.attr("shape")); }

// A model together with the lock that keeps its calls from overlapping once the GIL is released.
class PyModel {
public:
    PyModel(std::shared_ptr<rtc::Library> library, const rtc_loader& loader, const std::string& path)
        : library_(std::move(library)), model_(loader, path) {}

    std::uint32_t input_size() const { return model_.input_size(); }
    std::uint32_t output_size() const { return model_.output_size(); }

    void prepare(std::uint32_t max_frames) {
        const py::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock(mutex_);
        model_.prepare(max_frames);
    }

    void reset() {
        const py::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock(mutex_);
        model_.reset();
    }

    py::array_t<float> process(const py::array& frames) {
        if (!py::isinstance<py::array_t<float>>(frames))
            throw py::value_error("frames: expected an array of float32, found " +
                                  std::string(py::str(frames.dtype())) + ".");
        if (frames.ndim() != 2 || frames.shape(1) != input_size())
            throw py::value_error("frames: expected the shape (T, " + std::to_string(input_size()) + "), found " +
                                  shape_of(frames) + ".");
        const auto rows = py::array_t<float, py::array::c_style>::ensure(frames);
        if (!rows) throw py::error_already_set();
        const auto count = rows.shape(0);
        py::array_t<float> outputs({count, static_cast<py::ssize_t>(output_size())});
        const float* in = rows.data();
        float* out = outputs.mutable_data();
        const py::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock(mutex_);
        model_.process(in, out, static_cast<std::uint32_t>(std::min<py::ssize_t>(count, UINT32_MAX)));
        return outputs;
    }

private:
    std::shared_ptr<rtc::Library> library_;
    std::mutex mutex_;
    rtc::Model model_;
};

py::dict describe(const rtc_loader& loader, std::size_t index) {
    using namespace py::literals;
    py::dict build;
    if (const rtc_build_info* info = rtc::build_info(loader)) {
        if (info->compiler != nullptr) build["compiler"] = info->compiler;
        if (info->flags != nullptr) build["flags"] = info->flags;
        if (info->source_hash != nullptr) build["source_hash"] = info->source_hash;
    }
    return py::dict("index"_a = index, "name"_a = loader.name, "version"_a = loader.version, "role"_a = "loader",
                    "numeric_class"_a = loader.numeric_class, "layer_types"_a = rtc::layer_types(loader),
                    "features"_a = py::list(), "build"_a = build);
}

py::list describe_all(const rtc::Library& library) {
    py::list all;
    for (std::size_t i = 0; i < library.loaders().size(); ++i) all.append(describe(*library.loaders()[i], i));
    return all;
}

std::unique_ptr<PyModel> load(const std::shared_ptr<rtc::Library>& library, const rtc_loader& loader,
                              const std::string& path) {
    const py::gil_scoped_release release;
    return std::make_unique<PyModel>(library, loader, path);
}

// Gives the Python exception the attributes phase, json_path and message.
void raise_refusal(const py::handle& type, const rtc::Refusal& refusal) {
    const std::string message = refusal.what();
    const std::string place = refusal.json_path.empty() ? "" : refusal.json_path + ": ";
    py::object error = type(place + message + " (phase " + refusal.phase + ")");
    error.attr("phase") = refusal.phase;
    error.attr("json_path") = refusal.json_path;
    error.attr("message") = message;
    PyErr_SetObject(type.ptr(), error.ptr());
}

}  // namespace

PYBIND11_MODULE(_native, module) {
    module.doc() = "Loader libraries (rtconform/loader.h) in this process, and how fast memory is read.";

    module.def("reading_ns", &rtc::reading_ns, py::arg("bytes"), py::arg("times"),
               py::call_guard<py::gil_scoped_release>(),
               "How long each of so many readings of so many bytes takes, in ns, one after the other.");

    py::register_exception<rtc::LibraryError>(module, "LibraryError", PyExc_RuntimeError).doc() =
        "There is no such loader: not a shared library, no rtc_entry, no such name.";
    py::register_exception<rtc::ContractBreach>(module, "ContractBreach", PyExc_RuntimeError).doc() =
        "The library did what loader.h forbids.";
    // Kept for good: an exception may be translated while the interpreter shuts down.
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> load_error;
    load_error.call_once_and_store_result([&] {
        py::object type = py::exception<rtc::Refusal>(module, "LoadError", PyExc_RuntimeError);
        type.doc() = "A file was refused. Attributes: phase (read, parse, validate, build), json_path, message.";
        return type;
    });
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const rtc::Refusal& refusal) {
            raise_refusal(load_error.get_stored(), refusal);
        }
    });

    py::class_<PyModel>(module, "Model", "A loaded model. Its calls never overlap; the GIL is released during them.")
        .def_property_readonly("input_size", &PyModel::input_size, "Floats per input frame.")
        .def_property_readonly("output_size", &PyModel::output_size, "Floats per output frame.")
        .def("prepare", &PyModel::prepare, py::arg("max_frames"),
             "Makes room for blocks of up to max_frames (1 to 4096) frames. Called once, before reset and process.\n\n"
             "Raises ValueError for another size or a second call, LoadError if the loader refuses.")
        .def("reset", &PyModel::reset, "Sets all state to what it was after prepare.")
        .def("process", &PyModel::process, py::arg("frames"),
             "Maps float32 [T, input_size] to float32 [T, output_size], carrying state on; T is 0 to max_frames.\n\n"
             "Raises ValueError for another dtype or shape, or before prepare.");

    py::class_<rtc::Library, std::shared_ptr<rtc::Library>>(module, "Library",
                                                             "A shared library that exports rtc_entry.")
        .def(py::init([](const std::string& path) {
                 auto library = std::make_shared<rtc::Library>(path);
                 library->loaders();
                 return library;
             }),
             py::arg("path"), "Raises LibraryError if it can't be used.")
        .def("loaders", &describe_all,
             "What each loader declares: index, name, version, role, numeric_class, layer_types, features, build.")
        .def(
            "load",
            [](const std::shared_ptr<rtc::Library>& library, std::size_t loader, const std::string& path) {
                return load(library, library->loader(loader), path);
            },
            py::arg("loader"), py::arg("path"), "The loader is named by its index or its name. Raises LoadError.")
        .def(
            "load",
            [](const std::shared_ptr<rtc::Library>& library, const std::string& loader, const std::string& path) {
                return load(library, library->loader(loader), path);
            },
            py::arg("loader"), py::arg("path"));
}
