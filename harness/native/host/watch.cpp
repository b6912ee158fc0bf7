// The operation watch: the frames in blocks, with the detectors armed from the very first call on.
#include <algorithm>

#include "../abi/errors.h"
#include "../probe/pretouch.h"
#include "../probe/watch.h"
#include "guarded_buffer.h"
#include "offences.h"
#include "session.h"

namespace rtc::host {

// Call number 0 is reset(), the blocks are calls 1, 2, and so on, and the last is reset() again: only then has it
// something to forget. Whenever all of the blocks' sizes have had their turn, the first is next.
Json Session::watch(const Json& request) {
    const std::string where = "the request \"watch\"";
    Model& model = this->model(request, where);
    const auto blocks = integers_field(request, where, "blocks", 1, Model::max_block);
    const Array frames = frames_for(model, request, where);
    GuardedBuffer in(frames.values.size()), out(frames.frames * model.output_size());
    std::copy(frames.values.begin(), frames.values.end(), in.data());
    in.make_read_only();

    const probe::Detectors detectors;
    probe::touch_what_hosts_touch();
    {
        const probe::Watched watched(0);
        model.reset();
    }
    std::uint64_t call = 1;
    for (std::size_t frame = 0, count; frame < frames.frames; frame += count, ++call) {
        count = std::min<std::size_t>(blocks[(call - 1) % blocks.size()], frames.frames - frame);
        const probe::Watched watched(call);
        model.process(in.data() + frame * frames.channels, out.data() + frame * model.output_size(),
                      static_cast<std::uint32_t>(count));
    }
    {
        const probe::Watched watched(call);
        model.reset();
    }
    if (!out.front_untouched()) throw ContractBreach("process() wrote in front of its output frames.");
    return {{"outputs", array_to_json(out.data(), frames.frames, model.output_size())},
            {"offences", offences_to_json()},
            {"unseen", unseen_to_json(detectors)},
            {"system_call_trap", detectors.system_call_trap()}};
}

}  // namespace rtc::host
