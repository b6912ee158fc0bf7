// The operation watch: the frames in blocks, with the interposers armed from the very first call on.
#include <algorithm>

#include "../abi/errors.h"
#include "../probe/watch.h"
#include "guarded_buffer.h"
#include "session.h"

namespace rtc::host {
namespace {

Json offences_to_json() {
    probe::Offence offences[probe::max_offences];
    const std::size_t count = probe::offences(offences, probe::max_offences);
    Json list = Json::array();
    for (std::size_t i = 0; i < count; ++i)
        list.push_back({{"kind", probe::name(offences[i].kind)},
                        {"function", offences[i].function},
                        {"count", offences[i].count},
                        {"first_call", offences[i].first_call}});
    return list;
}

}  // namespace

// Call number 0 is reset(); the blocks are calls 1, 2, and so on.
Json Session::watch(const Json& request) {
    const std::string where = "the request \"watch\"";
    Model& model = this->model(request, where);
    const Array frames = frames_for(model, request, where);
    const std::size_t block = integer_field(request, where, "block", 1, Model::max_block);
    GuardedBuffer in(frames.values.size()), out(frames.frames * model.output_size());
    std::copy(frames.values.begin(), frames.values.end(), in.data());
    in.make_read_only();

    probe::clear_offences();
    {
        const probe::Watched watched(0);
        model.reset();
    }
    std::uint64_t call = 1;
    for (std::size_t frame = 0; frame < frames.frames; frame += block, ++call) {
        const auto count = static_cast<std::uint32_t>(std::min(block, frames.frames - frame));
        const probe::Watched watched(call);
        model.process(in.data() + frame * frames.channels, out.data() + frame * model.output_size(), count);
    }
    if (!out.front_untouched()) throw ContractBreach("process() wrote in front of its output frames.");
    return {{"outputs", array_to_json(out.data(), frames.frames, model.output_size())},
            {"offences", offences_to_json()}};
}

}  // namespace rtc::host
