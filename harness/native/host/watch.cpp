// The operation watch: the frames in blocks, with the detectors armed from the very first call on.
#include <dlfcn.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "../abi/errors.h"
#include "../probe/pretouch.h"
#include "../probe/watch.h"
#include "guarded_buffer.h"
#include "session.h"

namespace rtc::host {
namespace {

// "libthing.so(thing_run+0x1f)", or without a name that is exported "libthing.so+0x4a1f", as addr2line -e takes it.
std::string place(const Dl_info& object, const void* address) {
    const std::string path = object.dli_fname;
    const std::string file = path.substr(path.rfind('/') + 1);
    const auto distance = [address](const void* from) {
        char text[24];
        const auto bytes = static_cast<const char*>(address) - static_cast<const char*>(from);
        std::snprintf(text, sizeof text, "+0x%" PRIxPTR, static_cast<std::uintptr_t>(bytes));
        return std::string(text);
    };
    if (object.dli_sname == nullptr) return file + distance(object.dli_fbase);
    return file + "(" + object.dli_sname + distance(object.dli_saddr) + ")";
}

// From the forbidden call outwards, without the host's frames at both ends: its detectors, and what called the library.
Json stack_to_json(const probe::Offence& offence) {
    Dl_info host{};
    dladdr(reinterpret_cast<const void*>(&place), &host);
    Json frames = Json::array();
    for (int i = 0; i < offence.depth; ++i) {
        Dl_info object{};
        const bool is_known = dladdr(offence.stack[i], &object) != 0;
        if (is_known && object.dli_fbase == host.dli_fbase) {
            if (frames.empty()) continue;
            break;
        }
        frames.push_back(is_known ? place(object, offence.stack[i]) : "?");
    }
    return frames;
}

Json offences_to_json() {
    probe::Offence offences[probe::max_offences];
    const std::size_t count = probe::offences(offences, probe::max_offences);
    Json list = Json::array();
    for (std::size_t i = 0; i < count; ++i)
        list.push_back({{"kind", probe::name(offences[i].kind)},
                        {"function", offences[i].function},
                        {"count", offences[i].count},
                        {"first_call", offences[i].first_call},
                        {"stack", stack_to_json(offences[i])}});
    return list;
}

Json unseen_to_json(const probe::Detectors& detectors) {
    Json unseen = Json::object();
    for (const auto kind : {probe::Kind::syscall, probe::Kind::page_fault})
        if (const char* const why = detectors.unseen(kind)) unseen[probe::name(kind)] = why;
    return unseen;
}

}  // namespace

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

Json Session::plain_memory(const Json&) {
#ifdef __GLIBC__
    mallopt(M_PERTURB, 0);
#endif
    return Json::object();
}

}  // namespace rtc::host
