// AsyncInference and ModelReloader for Python.
#include <rtconform_plugin/async_inference.h>
#include <rtconform_plugin/model_reloader.h>

#include "bindings.h"
#include "processors.h"

namespace rtconform::plugin
{
namespace
{

/** AsyncInference with the calls of its one audio thread under a lock, since Python may call from any. */
class Inference
{
public:
    Inference(std::shared_ptr<Processors> processors, uint32_t capacity, double deadline_ms, bool real_time_priority)
        : processors_ { std::move(processors) }
        , inference_ { processors_->processor, options(capacity, deadline_ms, real_time_priority) }
    {
    }

    std::string submit(uint64_t frame_id, const py::object& frame, int64_t sample, bool reset)
    {
        const auto features = Rows::ensure(frame);
        if(!features)
            throw py::error_already_set();
        const std::lock_guard lock { mutex_ };
        const auto count = static_cast<size_t>(features.size());
        switch(inference_.submit(frame_id, sample, features.data(), count, reset))
        {
            case Submitted::accepted:
                return "accepted";
            case Submitted::full:
                return "full";
            case Submitted::wrong_size:
                break;
        }
        return "wrong size";
    }

    py::list poll()
    {
        py::list results;
        const std::lock_guard lock { mutex_ };
        AsyncResult result;
        while(inference_.poll(result))
        {
            const auto outputs_of = [&](size_t m)
            { return py::array_t<float>(model_specs[m].output_size, result.outputs_of(m)); };
            results.append(py::dict("id"_a = result.frame_id, "sample"_a = result.sample,
                "waited_ns"_a = result.waited.count(), "took_ns"_a = result.took.count(), "late"_a = result.late,
                "outputs"_a = by_name(outputs_of),
                "fallback"_a = by_name([&](size_t m) { return result.fallback[m]; }),
                "version"_a = by_name([&](size_t m) { return result.version[m]; })));
        }
        return results;
    }

    ~Inference() { stop(); }

    void start()
    {
        const void* nobody = nullptr;
        if(!processors_->runner.compare_exchange_strong(nobody, this) && nobody != this)
            throw py::value_error("expected a processor that nobody else runs, but another AsyncInference runs it");
        inference_.start();
    }

    void stop()
    {
        const py::gil_scoped_release release;
        if(!inference_.is_running())
            return;
        inference_.stop();
        processors_->runner = nullptr;
    }

    bool is_running() const { return inference_.is_running(); }
    uint32_t capacity() const { return inference_.capacity(); }
    std::string worker_priority() const { return inference_.worker_priority(); }

    py::dict counters() const
    {
        const auto counters = inference_.counters();
        return py::dict("accepted"_a = counters.accepted, "refused"_a = counters.refused, "polled"_a = counters.polled,
            "pending"_a = counters.pending, "late"_a = counters.late);
    }

private:
    static AsyncOptions options(uint32_t capacity, double deadline_ms, bool real_time_priority)
    {
        AsyncOptions options;
        options.capacity = capacity;
        options.deadline = std::chrono::nanoseconds { static_cast<int64_t>(deadline_ms * 1e6) };
        options.real_time_priority = real_time_priority;
        return options;
    }

    std::shared_ptr<Processors> processors_;
    std::mutex mutex_;
    AsyncInference inference_;
};

/** ModelReloader, which keeps the processor alive. */
class Reloader
{
public:
    Reloader(std::shared_ptr<Processors> processors, int interval_ms, bool watch_files)
        : processors_ { std::move(processors) }
        , reloader_ { std::in_place, processors_->processor,
            ModelReloader::Options { std::chrono::milliseconds { interval_ms }, watch_files, {} } }
    {
    }

    void request(const std::optional<std::vector<std::string>>& names)
    {
        if(!reloader_)
            throw py::value_error("the reloader is closed");
        reloader_->request(set_of(names));
    }

    void close()
    {
        const py::gil_scoped_release release;
        reloader_.reset();
    }

private:
    std::shared_ptr<Processors> processors_;
    std::optional<ModelReloader> reloader_;
};

} // namespace

void bind_async_inference(py::module_& module)
{
    py::class_<Inference>(module, "AsyncInference", "The five-model step on a worker thread; submit and poll never wait.")
        .def(py::init<std::shared_ptr<Processors>, uint32_t, double, bool>(), "processor"_a, "capacity"_a = 16,
            "deadline_ms"_a = 10.0, "real_time_priority"_a = true)
        .def("start", &Inference::start)
        .def("stop", &Inference::stop)
        .def_property_readonly("is_running", &Inference::is_running)
        .def_property_readonly("capacity", &Inference::capacity)
        .def_property_readonly("worker_priority", &Inference::worker_priority)
        .def("submit", &Inference::submit, "frame_id"_a, "features"_a, "sample"_a = 0, "reset"_a = false,
            "\"accepted\", \"full\" or \"wrong size\".")
        .def("poll", &Inference::poll, "All results that are ready, in the order of submission.")
        .def("counters", &Inference::counters);

    py::class_<Reloader>(module, "ModelReloader", "Reloads models when their files change, or on request.")
        .def(py::init<std::shared_ptr<Processors>, int, bool>(), "processor"_a, "interval_ms"_a = 250,
            "watch_files"_a = true)
        .def("request", &Reloader::request, "names"_a = py::none())
        .def("close", &Reloader::close);
}

} // namespace rtconform::plugin
