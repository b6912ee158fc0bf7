// rtconform.reference_models._plugin_core: what a plugin links, for Python. Each part is bound in a file of its own.
#include "bindings.h"

PYBIND11_MODULE(_plugin_core, module)
{
    module.doc() = "The plugin core (reference_models/native/plugin_core) in this process.";
    rtconform::plugin::bind_front_end(module);
}
