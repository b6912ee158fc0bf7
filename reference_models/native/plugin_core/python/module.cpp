// rtconform.reference_models._plugin_core: the plugin core for tests in Python.
#include <pybind11/pybind11.h>

void bind_model_file(pybind11::module_& module);
void bind_ml_bridge(pybind11::module_& module);

PYBIND11_MODULE(_plugin_core, module)
{
    module.doc() = "The plugin core (reference_models/native/plugin_core) in this process.";
    bind_model_file(module);
    bind_ml_bridge(module);
}
