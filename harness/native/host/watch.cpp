// The operation watch: sections of frames in blocks, on a thread of their own, with the detectors armed from the very
// first call on.
#include <algorithm>
#include <deque>
#include <exception>
#include <numeric>
#include <thread>

#include "../abi/errors.h"
#include "../probe/ledger.h"
#include "../probe/pretouch.h"
#include "../probe/watch.h"
#include "guarded_buffer.h"
#include "offences.h"
#include "session.h"

namespace rtc::host {
namespace {

// A model's turn: reset, then the frames in blocks of these sizes.
struct Section {
    Section(Model& model, const Array& frames, std::vector<std::uint64_t> blocks)
        : model(model),
          blocks(std::move(blocks)),
          frames(frames.frames),
          in(frames.values.size()),
          out(frames.frames * model.output_size()) {
        std::copy(frames.values.begin(), frames.values.end(), in.data());
        in.make_read_only();
    }

    Model& model;
    const std::vector<std::uint64_t> blocks;
    const std::size_t frames;
    GuardedBuffer in, out;
};

// Calls are numbered from 0 on through all the sections.
void run(const Section& section, std::uint64_t& call) {
    {
        const probe::Watched watched(call++);
        section.model.reset();
    }
    const float* in = section.in.data();
    float* out = section.out.data();
    for (const std::uint64_t block : section.blocks) {
        {
            const probe::Watched watched(call++);
            section.model.process(in, out, static_cast<std::uint32_t>(block));
        }
        in += block * section.model.input_size();
        out += block * section.model.output_size();
    }
}

// What the detectors could and couldn't see.
Json watch_sections(const std::deque<Section>& sections) {
    const probe::Detectors detectors;
    probe::touch_what_hosts_touch();
    std::uint64_t call = 0;
    for (const Section& section : sections) run(section, call);
    return {{"unseen", unseen_to_json(detectors)}, {"system_call_trap", detectors.system_call_trap()}};
}

// As in a plugin host, where another thread loads and prepares than plays: what the library keeps for each thread isn't
// there yet.
Json watch_on_another_thread(const std::deque<Section>& sections) {
    Json seen;
    std::exception_ptr failure;
    std::thread([&] {
        probe::ledger::leave_out_this_thread();
        try {
            seen = watch_sections(sections);
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) std::rethrow_exception(failure);
    return seen;
}

}  // namespace

Json Session::watch(const Json& request) {
    const std::string where = "the request \"watch\"";
    std::deque<Section> sections;
    for (const Json& part : list_field(request, where, "sections")) {
        const std::string here = "sections[" + std::to_string(sections.size()) + "] of " + where;
        only_fields(part, here, {"model", "frames", "blocks"});
        Model& model = this->model(part, here);
        auto blocks = integers_field(part, here, "blocks", 0, Model::max_block);
        const Array frames = frames_for(model, part, here);
        const auto total = std::accumulate(blocks.begin(), blocks.end(), std::uint64_t{0});
        if (total != frames.frames)
            throw BadRequest("Field \"blocks\" of " + here + ": expected sizes that add up to the " +
                             std::to_string(frames.frames) + " frames, found a sum of " + std::to_string(total) + ".");
        sections.emplace_back(model, frames, std::move(blocks));
    }

    Json reply = watch_on_another_thread(sections);
    reply["offences"] = offences_to_json();
    reply["outputs"] = Json::array();
    for (const Section& section : sections) {
        if (!section.out.front_untouched()) throw ContractBreach("process() wrote in front of its output frames.");
        reply["outputs"].push_back(array_to_json(section.out.data(), section.frames, section.model.output_size()));
    }
    return reply;
}

}  // namespace rtc::host
