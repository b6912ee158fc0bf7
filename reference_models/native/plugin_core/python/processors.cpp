// RTNeuralProcessor and MultiModelProcessor for Python: NumPy in and out, the GIL released meanwhile.
#include "processors.h"

#include <rtconform_plugin/loader_library.h>
#include <rtconform_plugin/processor.h>

#include <algorithm>

#include "bindings.h"

namespace rtconform::plugin
{
namespace
{

const rtc_loader& loader_of(const std::string& library, const std::string& name)
{
    const auto loader = open_loader(library, name);
    if(const auto* wrong = std::get_if<std::string>(&loader))
        throw py::value_error(*wrong);
    return *std::get<const rtc_loader*>(loader);
}

py::object described(const std::optional<LoadError>& error)
{
    if(!error)
        return py::none();
    return py::dict("phase"_a = name_of(error->phase), "json_path"_a = error->json_path, "message"_a = error->message);
}

const char* name_of(ModelState state)
{
    return state == ModelState::loaded ? "loaded" : state == ModelState::disabled ? "disabled" : "fallback";
}

/** One model, with the lock that keeps its calls from overlapping once the GIL is released. */
class Processor
{
public:
    Processor(const std::string& library, const std::string& name, const std::string& path, uint32_t max_frames)
    {
        const auto& loader = loader_of(library, name);
        auto loaded = RTNeuralProcessor::load(loader, path, { nullptr, max_frames });
        if(const auto* error = std::get_if<LoadError>(&loaded))
            throw py::value_error(path + ": " + (error->json_path.empty() ? "" : error->json_path + ": ")
                + error->message + " (phase " + plugin::name_of(error->phase) + ")");
        processor_ = std::get<RTNeuralProcessor>(std::move(loaded));
        max_frames_ = max_frames;
    }

    Rows process(const py::object& frames)
    {
        const auto in = rows(frames, processor_.input_size());
        const auto count = static_cast<uint32_t>(in.shape(0));
        Rows out({ in.shape(0), static_cast<py::ssize_t>(processor_.output_size()) });
        const float* from = in.data();
        float* to = out.mutable_data();
        const py::gil_scoped_release release;
        const std::lock_guard lock { mutex_ };
        for(uint32_t f = 0; f < count; f += max_frames_)
            processor_.process(from + f * processor_.input_size(), to + f * processor_.output_size(),
                std::min(max_frames_, count - f));
        return out;
    }

    void reset()
    {
        const py::gil_scoped_release release;
        const std::lock_guard lock { mutex_ };
        processor_.reset();
    }

    uint32_t input_size() const { return processor_.input_size(); }
    uint32_t output_size() const { return processor_.output_size(); }
    std::string sha256() const { return processor_.file().sha256; }

private:
    std::mutex mutex_;
    RTNeuralProcessor processor_;
    uint32_t max_frames_ = 1;
};

/** Results of consecutive frames as arrays with one row per frame. */
class Table
{
public:
    explicit Table(size_t frames)
        : ids_(frames)
    {
        for(size_t m = 0; m < model_count; ++m)
        {
            const auto count = static_cast<py::ssize_t>(frames);
            outputs_.emplace_back(std::vector { count, static_cast<py::ssize_t>(model_specs[m].output_size) });
            fallback_.emplace_back(count);
            version_.emplace_back(count);
            to_.push_back({ outputs_[m].mutable_data(), fallback_[m].mutable_data(), version_[m].mutable_data() });
        }
    }

    /** Needs no GIL. */
    void set(size_t row, const StepResult& result)
    {
        ids_[row] = result.frame_id;
        for(size_t m = 0; m < model_count; ++m)
        {
            const auto size = model_specs[m].output_size;
            std::copy_n(result.outputs_of(m), size, to_[m].outputs + row * size);
            to_[m].fallback[row] = result.fallback[m];
            to_[m].version[row] = result.version[m];
        }
    }

    py::dict as_dict() const
    {
        return py::dict("ids"_a = py::array_t<uint64_t>(static_cast<py::ssize_t>(ids_.size()), ids_.data()),
            "outputs"_a = by_name([this](size_t m) { return outputs_[m]; }),
            "fallback"_a = by_name([this](size_t m) { return fallback_[m]; }),
            "version"_a = by_name([this](size_t m) { return version_[m]; }));
    }

private:
    struct Columns
    {
        float* outputs;
        bool* fallback;
        uint32_t* version;
    };

    std::vector<uint64_t> ids_;
    std::vector<py::array_t<float>> outputs_;
    std::vector<py::array_t<bool>> fallback_;
    std::vector<py::array_t<uint32_t>> version_;
    std::vector<Columns> to_;
};

} // namespace

Processors::Processors(const std::string& library, const std::string& name, std::vector<std::string> folders)
    : processor { loader_of(library, name), std::move(folders) }
{
}

py::dict Processors::process(const py::object& frames, uint64_t first_id)
{
    check_is_free();
    const auto in = rows(frames, frame_size);
    const auto count = static_cast<size_t>(in.shape(0));
    Table table { count };
    {
        const float* from = in.data();
        const py::gil_scoped_release release;
        const std::lock_guard lock { mutex_ };
        StepResult result;
        for(size_t f = 0; f < count; ++f)
        {
            processor.process(first_id + f, from + f * frame_size, frame_size, result);
            table.set(f, result);
        }
    }
    return table.as_dict();
}

void Processors::check_is_free() const
{
    if(runner != nullptr)
        throw py::value_error("expected a processor that nobody else runs, but an AsyncInference runs it; stop that first");
}

void Processors::reset()
{
    check_is_free();
    const py::gil_scoped_release release;
    const std::lock_guard lock { mutex_ };
    processor.reset();
}

py::dict Processors::reload(const std::optional<std::vector<std::string>>& names)
{
    const auto models = set_of(names);
    std::array<std::optional<LoadError>, model_count> errors;
    {
        const py::gil_scoped_release release;
        errors = processor.reload(models);
    }
    return by_name([&](size_t m) { return described(errors[m]); });
}

void Processors::set_enabled(const std::string& name, bool enabled) { processor.set_enabled(number_of(name), enabled); }

py::dict Processors::status() const
{
    return by_name(
        [this](size_t m)
        {
            const auto status = processor.status(m);
            return py::dict("state"_a = name_of(status.state), "version"_a = status.version,
                "first_frame"_a = status.first_frame, "path"_a = status.path, "reason"_a = status.reason,
                "bytes"_a = status.file.bytes, "sha256"_a = status.file.sha256);
        });
}

py::dict Processors::totals() const
{
    const auto totals = processor.totals();
    return py::dict("models"_a = totals.models, "parameters_torch"_a = totals.parameters_torch,
        "parameters_rtneural"_a = totals.parameters_rtneural, "file_bytes"_a = totals.file_bytes);
}

void bind_processors(py::module_& module)
{
    py::class_<Processor>(module, "RTNeuralProcessor", "One model from an RTNeural JSON file, run by a loader library.")
        .def(py::init<const std::string&, const std::string&, const std::string&, uint32_t>(), "library"_a, "loader"_a,
            "path"_a, "max_frames"_a = 4096, "Raises ValueError with what was wrong.")
        .def_property_readonly("input_size", &Processor::input_size)
        .def_property_readonly("output_size", &Processor::output_size)
        .def_property_readonly("sha256", &Processor::sha256)
        .def("process", &Processor::process, "frames"_a, "Float32 [T, input_size] to [T, output_size], state carried.")
        .def("reset", &Processor::reset);

    py::class_<Processors, std::shared_ptr<Processors>>(
        module, "MultiModelProcessor", "The five models and the data flow between them, one step per frame.")
        .def(py::init<const std::string&, const std::string&, std::vector<std::string>>(), "library"_a, "loader"_a,
            "folders"_a, "Raises ValueError if there is no such loader; what is wrong with the files is in status().")
        .def("process", &Processors::process, "frames"_a, "first_id"_a = 0,
            "Features float32 [T, 128] to {\"ids\": [T], \"outputs\": {name: [T, out]}, \"fallback\": {name: [T]}, "
            "\"version\": {name: [T]}}. Not while an AsyncInference runs it.")
        .def("reset", &Processors::reset)
        .def("reload", &Processors::reload, "names"_a = py::none(),
            "Reads the files of these models again, or of all. By name None, or {\"phase\", \"json_path\", \"message\"}.")
        .def("set_enabled", &Processors::set_enabled, "name"_a, "enabled"_a)
        .def("status", &Processors::status)
        .def("totals", &Processors::totals);

    module.def("model_folders", &model_folders, "given"_a = "",
        "The folders in which model files are looked for: those of `given`, or of RTCONFORM_MODELS.");
}

} // namespace rtconform::plugin
