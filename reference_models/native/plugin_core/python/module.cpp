// rtconform.reference_models._plugin_core: the plugin core for Python.
#include "bindings.h"

PYBIND11_MODULE(_plugin_core, module)
{
    module.doc() = "The plugin core: the five models on any loader library, live.";
    rtconform::plugin::bind_model_file(module);
    rtconform::plugin::bind_front_end(module);
    rtconform::plugin::bind_processors(module);
    rtconform::plugin::bind_async_inference(module);
    rtconform::plugin::bind_ml_bridge(module);
}
