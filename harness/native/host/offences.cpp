#include "offences.h"

#include <dlfcn.h>

#include <cinttypes>
#include <cstdio>
#include <string>

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

}  // namespace

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

}  // namespace rtc::host
