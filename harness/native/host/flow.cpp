#include "flow.h"

#include <algorithm>
#include <cstring>

namespace rtc::host {
namespace {

const Stage* find(const Flow& flow, const std::string& name) {
    const auto found = std::find_if(flow.begin(), flow.end(), [&](const Stage& stage) { return stage.name == name; });
    return found == flow.end() ? nullptr : &*found;
}

const Json& object_at(const Json& list, std::size_t index, const std::string& where) {
    if (!list[index].is_object()) throw BadRequest("Expected an object: " + where + ".");
    return list[index];
}

Slice read_slice(const Json& input, const std::string& where, const Flow& earlier, const Array& audio) {
    only_fields(input, where, {"from", "begin", "end"});
    const std::string from = string_field(input, where, "from");
    const Stage* source = from == "audio" ? nullptr : find(earlier, from);
    if (from != "audio" && source == nullptr)
        throw BadRequest("Field \"from\" of " + where + ": expected \"audio\" or a model earlier in flow, found \"" +
                         from + "\".");
    const std::size_t width = source == nullptr ? audio.channels : source->out.size();
    const std::size_t end = integer_field(input, where, "end", 1, width);
    const std::size_t begin = integer_field(input, where, "begin", 0, end - 1);
    return {source == nullptr ? nullptr : source->out.data(), begin, end - begin};
}

}  // namespace

void gather(Stage& stage, const float* audio) {
    float* to = stage.in.data();
    for (const Slice& slice : stage.slices) {
        std::memcpy(to, (slice.outputs != nullptr ? slice.outputs : audio) + slice.begin, slice.count * sizeof(float));
        to += slice.count;
    }
}

Flow read_flow(const Json& request, const std::string& where, const Array& audio,
               const std::function<Model&(std::uint64_t id)>& model_by_id) {
    const Json& models = object_field(request, where, "models");
    const Json& steps = list_field(request, where, "flow");
    Flow flow;
    for (std::size_t s = 0; s < steps.size(); ++s) {
        const std::string here = "flow[" + std::to_string(s) + "] of " + where;
        const Json& step = object_at(steps, s, here);
        only_fields(step, here, {"model", "inputs"});
        const std::string name = string_field(step, here, "model");
        Model& model = model_by_id(integer_field(models, "\"models\" of " + where, name.c_str(), 0, max_id));
        if (model.max_frames() == 0) throw BadRequest("Model \"" + name + "\" isn't prepared.");
        const auto same = [&](const Stage& stage) { return stage.name == name || stage.model == &model; };
        if (std::any_of(flow.begin(), flow.end(), same))
            throw BadRequest("Model \"" + name + "\" appears twice in flow.");
        Stage stage{name, &model, {}, {}, {}, {}};
        const Json& inputs = list_field(step, here, "inputs");
        std::size_t floats = 0;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const std::string there = "inputs[" + std::to_string(i) + "] of " + here;
            stage.slices.push_back(read_slice(object_at(inputs, i, there), there, flow, audio));
            floats += stage.slices.back().count;
        }
        if (floats != model.input_size())
            throw BadRequest("The inputs of " + here + " make " + std::to_string(floats) + " floats; model \"" + name +
                             "\" takes " + std::to_string(model.input_size()) + ".");
        stage.in.resize(model.input_size());
        stage.out.resize(model.output_size());
        stage.outputs = {audio.frames, stage.out.size(), std::vector<float>(audio.frames * stage.out.size())};
        flow.push_back(std::move(stage));
    }
    return flow;
}

}  // namespace rtc::host
