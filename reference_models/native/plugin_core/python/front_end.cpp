// The front end in Python: whole arrays go in, and all frames that they complete come out.
#include "bindings.h"

#include <rtconform_plugin/audio_front_end.h>

#include <pybind11/numpy.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

namespace py = pybind11;

namespace rtconform::plugin
{

namespace
{

template <typename T>
py::array_t<T> array_of(const std::vector<T>& values, std::vector<py::ssize_t> shape)
{
    py::array_t<T> array(std::move(shape));
    std::copy(values.begin(), values.end(), array.mutable_data());
    return array;
}

/** A copy of audio [n] or [n, channels] as one array per channel; py::value_error for anything else. */
std::vector<std::vector<float>> planes_of(const py::array& samples, uint32_t channels)
{
    const auto dimensions = samples.ndim();
    const bool fits = dimensions == 2 ? samples.shape(1) == channels : dimensions == 1 && channels == 1;
    if(!py::isinstance<py::array_t<float>>(samples) || !fits)
        throw py::value_error { "samples: expected float32 " + std::string { channels == 1 ? "[n] or " : "" } + "[n, "
            + std::to_string(channels) + "], found " + std::string { py::str(samples.dtype()) } + " of shape "
            + std::string { py::str(samples.attr("shape")) } };
    const auto rows = py::array_t<float, py::array::c_style>::ensure(samples);
    if(!rows)
        throw py::error_already_set {};
    std::vector<std::vector<float>> planes(channels, std::vector<float>(static_cast<size_t>(rows.shape(0))));
    for(uint32_t channel = 0; channel < channels; ++channel)
        for(size_t i = 0; i < planes[channel].size(); ++i)
            planes[channel][i] = rows.data()[i * channels + channel];
    return planes;
}

/** With a lock, because calls could overlap once the GIL is released. */
class PyFrontEnd
{
public:
    PyFrontEnd(double rate, uint32_t channels) : front_end_ { rate, channels } { }

    py::tuple push(const py::array& samples)
    {
        const auto planes = planes_of(samples, front_end_.channel_count());
        std::vector<const float*> channels;
        for(const auto& plane : planes)
            channels.push_back(plane.data());
        std::vector<float> features;
        std::vector<uint64_t> numbers, heard_at;
        {
            const py::gil_scoped_release release;
            const std::lock_guard<std::mutex> lock { mutex_ };
            front_end_.push(channels.data(), planes.front().size(),
                [&](const AnalysisFrame& frame)
                {
                    features.insert(features.end(), frame.features, frame.features + LogMel::bands);
                    numbers.push_back(frame.number);
                    heard_at.push_back(frame.heard_at);
                });
        }
        const auto count = static_cast<py::ssize_t>(numbers.size());
        return py::make_tuple(array_of(features, { count, static_cast<py::ssize_t>(LogMel::bands) }),
            array_of(numbers, { count }), array_of(heard_at, { count }));
    }

    void reset()
    {
        const py::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock { mutex_ };
        front_end_.reset();
    }

    uint64_t bad_samples()
    {
        const py::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock { mutex_ };
        return front_end_.bad_samples();
    }

    uint32_t latency_samples() const { return front_end_.latency_samples(); }

private:
    std::mutex mutex_;
    AudioFrontEnd front_end_;
};

py::array_t<double> resampled(Resampler& resampler, const py::array_t<double, py::array::c_style>& samples)
{
    if(samples.ndim() != 1)
        throw py::value_error { "samples: expected shape [n], found " + std::string { py::str(samples.attr("shape")) } };
    std::vector<double> outputs;
    for(py::ssize_t i = 0; i < samples.shape(0); ++i)
    {
        resampler.push(samples.at(i));
        while(const auto output = resampler.next())
            outputs.push_back(*output);
    }
    return array_of(outputs, { static_cast<py::ssize_t>(outputs.size()) });
}

} // namespace

void bind_front_end(py::module_& module)
{
    py::class_<PyFrontEnd>(module, "AudioFrontEnd",
        "Audio of any rate and channel count to log-mel features, as it streams (rtconform_plugin/audio_front_end.h).\n\n"
        "Calls never overlap; the GIL is released during them.")
        .def(py::init<double, uint32_t>(), py::arg("rate"), py::arg("channels") = 1,
            "Raises ValueError for a rate that is no whole number from 1000 to 768000 Hz, or for no channel.")
        .def("push", &PyFrontEnd::push, py::arg("samples"),
            "Takes float32 [n, channels], or [n] where there is one channel, and returns the frames that they complete:\n"
            "features float32 [frames, 128], and for each frame its number and the host sample at which its end had been\n"
            "heard, uint64 [frames].\n\n"
            "Raises ValueError for another dtype or shape.")
        .def("reset", &PyFrontEnd::reset, "Back to what it was after construction.")
        .def_property_readonly("latency_samples", &PyFrontEnd::latency_samples,
            "A frame comes at most so many host samples after the one at which its end had been heard.")
        .def_property_readonly("bad_samples", &PyFrontEnd::bad_samples,
            "How many samples counted as 0 because they were NaN, infinite or beyond 1000.");

    py::class_<Resampler>(module, "Resampler",
        "The interior of scipy.signal.resample_poly(x, up, down), as it streams (rtconform_plugin/resampler.h).")
        .def(py::init<uint32_t, uint32_t>(), py::arg("up"), py::arg("down"),
            "Raises ValueError for a factor outside 1 to 768000.")
        .def("push", &resampled, py::arg("samples"), "Takes finite float64 [n], returns the outputs that are complete.")
        .def("reset", &Resampler::reset, "Back to silence before the first sample.")
        .def_property_readonly("latency", &Resampler::latency,
            "The most inputs that have to follow the instant of an output before it comes.");
}

} // namespace rtconform::plugin
