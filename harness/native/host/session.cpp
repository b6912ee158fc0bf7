#include "session.h"

#include <algorithm>

#include "../abi/errors.h"
#include "guarded_buffer.h"

namespace rtc::host {

Session::Session(const std::string& library, const std::string& loader) : Conversation(operations(), "unload") {
    open(library, [&](const Library& opened) { loader_ = &opened.loader(loader); });
}

std::vector<Conversation::Operation> Session::operations() {
    const auto by = [this](Json (Session::*perform)(const Json&)) {
        return [this, perform](const Json& request) { return (this->*perform)(request); };
    };
    return {
        {"load", by(&Session::load), {"path"}},
        {"prepare", by(&Session::prepare), {"model", "max_frames"}},
        {"reset", by(&Session::reset), {"model"}},
        {"process", by(&Session::process), {"model", "frames"}},
        {"unload", by(&Session::unload), {"model"}},
        {"watch", by(&Session::watch), {"sections"}},
        {"process_together", by(&Session::process_together), {"parts", "block", "passes"}},
        {"measure_latency",
         by(&Session::measure_latency),
         {"models", "flow", "audio", "warmup", "reset_every", "control_ns", "others", "cache_bytes",
          "recall_resident"}},
        {"measure_blocks", by(&Session::measure_blocks), {"model", "frames", "block"}},
        {"measure_memory", by(&Session::measure_memory), {"paths", "cycles", "others"}},
        {"count_instructions", by(&Session::count_instructions), {"model", "frames"}},
    };
}

Json Session::implementation() const {
    Json described = {{"name", loader_->name},
                      {"version", loader_->version},
                      {"role", "loader"},
                      {"numeric_class", loader_->numeric_class},
                      {"layer_types", layer_types(*loader_)},
                      {"features", {"measure"}}};
    if (const rtc_build_info* info = build_info(*loader_)) described["build"] = build_to_json(*info);
    return described;
}

Json Session::load(const Json& request) {
    auto loaded = std::make_unique<Model>(*loader_, string_field(request, place(request), "path"));
    const std::uint64_t id = next_id_++;
    Json reply = {{"model", id}, {"input_size", loaded->input_size()}, {"output_size", loaded->output_size()}};
    models_.emplace(id, std::move(loaded));
    return reply;
}

Json Session::prepare(const Json& request) {
    const auto max_frames = integer_field(request, place(request), "max_frames", 1, Model::max_block);
    model(request, place(request)).prepare(static_cast<std::uint32_t>(max_frames));
    return Json::object();
}

Json Session::reset(const Json& request) {
    model(request, place(request)).reset();
    return Json::object();
}

Json Session::process(const Json& request) {
    Model& model = this->model(request, place(request));
    const Array frames = frames_for(model, request, place(request));
    GuardedBuffer in(frames.values.size()), out(frames.frames * model.output_size());
    std::copy(frames.values.begin(), frames.values.end(), in.data());
    in.make_read_only();
    model.process(in.data(), out.data(), static_cast<std::uint32_t>(frames.frames));
    if (!out.front_untouched()) throw ContractBreach("process() wrote in front of its output frames.");
    return {{"outputs", array_to_json(out.data(), frames.frames, model.output_size())}};
}

Json Session::unload(const Json& request) {
    model(request, place(request));
    models_.erase(request["model"].get<std::uint64_t>());
    return Json::object();
}

Model& Session::model(const Json& request, const std::string& where) {
    return model_by_id(integer_field(request, where, "model", 0, max_id));
}

Model& Session::model_by_id(std::uint64_t id) {
    const auto found = models_.find(id);
    if (found != models_.end()) return *found->second;
    std::string known;
    for (const auto& [each, model] : models_) known += (known.empty() ? "" : ", ") + std::to_string(each);
    throw BadRequest("There is no model " + std::to_string(id) + "; loaded are: " +
                     (known.empty() ? "none" : known) + ".");
}

Array Session::frames_for(const Model& model, const Json& request, const std::string& where) {
    Array frames = array_field(request, where, "frames");
    if (frames.channels != model.input_size())
        throw BadRequest("Field \"frames\" of " + where + ": expected the shape [frames, " +
                         std::to_string(model.input_size()) + "], found [" + std::to_string(frames.frames) + ", " +
                         std::to_string(frames.channels) + "].");
    return frames;
}

}  // namespace rtc::host
