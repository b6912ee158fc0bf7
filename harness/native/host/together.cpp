// The operation process_together: several models at once, each on a thread of its own, over and over.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <thread>

#include "../abi/errors.h"
#include "session.h"

namespace rtc::host {
namespace {

constexpr std::uint64_t max_models = 16;
constexpr std::uint64_t max_passes = 100'000;

// One model's part: its frames, and what it gave for them in the first pass and in the latest.
struct Part {
    Model* model;
    Array frames;
    std::vector<float> first, latest;
    std::uint64_t mismatches = 0;
    std::exception_ptr failure;
};

// A pass resets the model, and is counted if its outputs are not those of the first, bit by bit.
void run(Part& part, std::size_t block, std::uint64_t passes) {
    const std::size_t width = part.model->output_size();
    for (std::uint64_t pass = 0; pass < passes; ++pass) {
        part.model->reset();
        for (std::size_t frame = 0; frame < part.frames.frames; frame += block) {
            const auto count = static_cast<std::uint32_t>(std::min(block, part.frames.frames - frame));
            part.model->process(part.frames.row(frame), part.latest.data() + frame * width, count);
        }
        if (pass == 0) part.first = part.latest;
        const std::size_t bytes = part.latest.size() * sizeof(float);
        part.mismatches += std::memcmp(part.first.data(), part.latest.data(), bytes) != 0;
    }
}

}  // namespace

Json Session::process_together(const Json& request) {
    const std::string where = "the request \"process_together\"";
    const Json& parts_json = field(request, where, "parts");
    if (!parts_json.is_array() || parts_json.empty() || parts_json.size() > max_models)
        throw BadRequest("Field \"parts\" of " + where + ": expected an array of 1 to " + std::to_string(max_models) +
                         " parts.");
    const std::size_t block = integer_field(request, where, "block", 1, Model::max_block);
    const std::uint64_t passes = integer_field(request, where, "passes", 1, max_passes);
    std::vector<Part> parts;
    for (const Json& part : parts_json) {
        only_fields(part, "a part of " + where, {"model", "frames"});
        Model& model = this->model(part, where);
        const auto same = [&](const Part& other) { return other.model == &model; };
        if (std::any_of(parts.begin(), parts.end(), same))
            throw BadRequest("A model appears twice in " + where + "; calls on one model must not overlap.");
        if (block > model.max_frames())
            throw BadRequest("A model of " + where + " is prepared for blocks of up to " +
                             std::to_string(model.max_frames()) + " frames, found " + std::to_string(block) + ".");
        Array frames = frames_for(model, part, where);
        std::vector<float> outputs(frames.frames * model.output_size());
        parts.push_back({&model, std::move(frames), {}, std::move(outputs), 0, nullptr});
    }

    std::atomic<std::size_t> waiting{parts.size()};
    std::vector<std::thread> threads;
    for (Part& part : parts)
        threads.emplace_back([&] {
            for (--waiting; waiting > 0;) {  // all begin at the same moment
            }
            try {
                run(part, block, passes);
            } catch (...) {
                part.failure = std::current_exception();
            }
        });
    for (std::thread& thread : threads) thread.join();
    for (const Part& part : parts)
        if (part.failure) std::rethrow_exception(part.failure);

    Json outputs = Json::array();
    std::uint64_t mismatches = 0;
    for (const Part& part : parts) {
        outputs.push_back(array_to_json(part.latest.data(), part.frames.frames, part.model->output_size()));
        mismatches += part.mismatches;
    }
    return {{"outputs", outputs}, {"mismatches", mismatches}};
}

}  // namespace rtc::host
