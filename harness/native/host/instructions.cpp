// The operation count_instructions: frames under callgrind, which counts what is executed and knows no noise.
#include "../probe/callgrind.h"
#include "session.h"

namespace rtc::host {
namespace {

using probe::callgrind::Request;

void process_each(Model& model, const Array& frames, std::vector<float>& out) {
    for (std::size_t frame = 0; frame < frames.frames; ++frame)
        model.process(frames.row(frame), out.data() + frame * model.output_size(), 1);
}

}  // namespace

// callgrind is started with --instr-atstart=no, so that loading takes seconds and not minutes, and writes one file per
// request. As many frames run before: what a library makes at its first use is no part of a step. They are half as
// large, so that no counted answer can be a remembered one. What reset does is not counted.
Json Session::count_instructions(const Json& request) {
    const std::string where = "the request \"count_instructions\"";
    Model& model = this->model(request, where);
    const Array frames = frames_for(model, request, where);
    std::vector<float> out(frames.frames * model.output_size());
    Array halves = frames;
    for (float& value : halves.values) value *= 0.5f;
    model.reset();
    process_each(model, halves, out);
    model.reset();
    const bool counted = ask(Request::running_on_valgrind) != 0;
    ask(Request::start_instrumentation);
    process_each(model, frames, out);
    ask(Request::dump_stats);
    ask(Request::stop_instrumentation);
    return {{"outputs", array_to_json(out.data(), frames.frames, model.output_size())}, {"counted", counted}};
}

}  // namespace rtc::host
