// MLBridge with callables as callbacks. Each takes the GIL on the bridge's thread, so whatever waits for that thread
// lets go of it. An exception out of a callable goes to sys.unraisablehook.
#include <rtconform_plugin/ml_bridge.h>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <map>

#include "bindings.h"

namespace py = pybind11;

namespace rtconform::plugin
{
namespace
{

const char* name_of(BridgeState state)
{
    static constexpr const char* names[] { "idle", "running", "installing", "succeeded", "failed", "cancelled" };
    return names[static_cast<size_t>(state)];
}

std::chrono::milliseconds milliseconds(double seconds)
{
    return std::chrono::milliseconds { std::llround(seconds * 1000) };
}

/** Calls a callable with what `arguments` makes, under the GIL; None is called by nobody. */
template <typename Arguments>
void call(const py::object& callable, const char* where, Arguments&& arguments)
{
    const py::gil_scoped_acquire gil;
    if(callable.is_none())
        return;
    try
    {
        callable(*arguments());
    }
    catch(py::error_already_set& error)
    {
        error.discard_as_unraisable(where);
    }
}

class PyBridge
{
public:
    PyBridge(BridgeOptions options, py::object on_progress, py::object on_installed, py::object on_end)
        : on_progress_ { std::move(on_progress) }, on_installed_ { std::move(on_installed) }, on_end_ { std::move(on_end) }
    {
        BridgeCallbacks callbacks;
        callbacks.progress = [this](const TrainingProgress& progress)
        {
            call(on_progress_, "on_progress", [&]
                { return py::make_tuple(progress.model, progress.epoch, progress.loss, progress.validation_loss); });
        };
        callbacks.installed = [this](const std::vector<InstalledModel>& models)
        {
            const auto files = [&]
            {
                py::dict files;
                for(const auto& model : models)
                    files[py::str(model.name)] = model.file.sha256;
                return py::make_tuple(files);
            };
            call(on_installed_, "on_installed", files);
        };
        callbacks.ended = [this](const BridgeStatus& status)
        { call(on_end_, "on_end", [&] { return py::make_tuple(name_of(status.state), status.reason); }); };
        bridge_ = std::make_unique<MLBridge>(std::move(options), std::move(callbacks));
    }

    ~PyBridge() { close(); }

    void close()
    {
        const py::gil_scoped_release released;
        bridge_.reset();
    }

    MLBridge& bridge()
    {
        if(!bridge_)
            throw py::value_error("expected an open bridge, found one that was closed");
        return *bridge_;
    }

private:
    py::object on_progress_, on_installed_, on_end_;
    std::unique_ptr<MLBridge> bridge_;
};

} // namespace

void bind_ml_bridge(py::module_& module)
{
    using namespace py::literals;
    py::class_<PyBridge>(module, "MLBridge")
        .def(py::init(
                 [](std::vector<std::string> command, std::string export_folder, std::string models_folder,
                     std::string working_folder, const std::map<std::string, std::string>& environment,
                     std::vector<std::string> required_models, double silence_limit, double grace_period,
                     size_t log_lines, py::object on_progress, py::object on_installed, py::object on_end)
                 {
                     BridgeOptions options;
                     options.command = std::move(command);
                     options.working_folder = std::move(working_folder);
                     options.environment = { environment.begin(), environment.end() };
                     options.export_folder = std::move(export_folder);
                     options.models_folder = std::move(models_folder);
                     options.required_models = std::move(required_models);
                     options.silence_limit = milliseconds(silence_limit);
                     options.grace_period = milliseconds(grace_period);
                     options.log_lines = log_lines;
                     return std::make_unique<PyBridge>(
                         std::move(options), std::move(on_progress), std::move(on_installed), std::move(on_end));
                 }),
            "command"_a, py::kw_only(), "export_folder"_a, "models_folder"_a, "working_folder"_a = "",
            "environment"_a = std::map<std::string, std::string> {},
            "required_models"_a = std::vector<std::string> {}, "silence_limit"_a = 600.0, "grace_period"_a = 5.0,
            "log_lines"_a = 200, "on_progress"_a = py::none(), "on_installed"_a = py::none(), "on_end"_a = py::none(),
            "Times are in seconds.")
        .def("start", [](PyBridge& self) { return self.bridge().start(); })
        .def("cancel", [](PyBridge& self) { self.bridge().cancel(); })
        .def("status",
            [](PyBridge& self)
            {
                const auto status = self.bridge().status();
                return py::make_tuple(name_of(status.state), status.reason);
            })
        .def(
            "wait",
            [](PyBridge& self, double seconds)
            {
                auto& bridge = self.bridge();
                const py::gil_scoped_release released;
                return bridge.wait(milliseconds(seconds));
            },
            "seconds"_a)
        .def("log", [](PyBridge& self) { return self.bridge().log(); })
        .def("close", &PyBridge::close);
}

} // namespace rtconform::plugin
