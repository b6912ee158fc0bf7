// MultiModelProcessor for Python, which AsyncInference and ModelReloader for Python hold on to.
#pragma once

#include "convert.h"

#include <atomic>
#include <mutex>

namespace rtconform::plugin
{

class Processors
{
public:
    /** ValueError if there is no such loader. */
    Processors(const std::string& library, const std::string& name, std::vector<std::string> folders);

    py::dict process(const py::object& frames, uint64_t first_id);
    void reset();
    py::dict reload(const std::optional<std::vector<std::string>>& names);
    void set_enabled(const std::string& name, bool enabled);
    py::dict status() const;
    py::dict totals() const;

    MultiModelProcessor processor;
    std::atomic<const void*> runner { nullptr }; // the AsyncInference that runs it, if one does

private:
    void check_is_free() const;

    std::mutex mutex_; // the calls must not overlap once the GIL is released
};

} // namespace rtconform::plugin
