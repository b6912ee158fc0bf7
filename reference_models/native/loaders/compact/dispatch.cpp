#include "dispatch.h"

#include <cstdlib>

namespace rtconform::compact
{

// The best first; the last one runs everywhere.
static const Kernels* const all_kernels[] = {
#if defined(__x86_64__)
    &kernels_avx512_vnni,
    &kernels_avx_vnni,
    &kernels_avx2,
#elif defined(__aarch64__)
    &kernels_neon,
#endif
    &kernels_plain,
};

std::variant<const Kernels*, std::string> chosen_kernels()
{
    const auto* wanted = std::getenv("RTCONFORM_COMPACT_KERNELS");
    std::string running;
    for(const auto* kernels : all_kernels)
    {
        if(!kernels->runs_here())
            continue;
        if(wanted == nullptr || *wanted == '\0' || std::string { wanted } == kernels->name)
            return kernels;
        running += std::string { running.empty() ? "" : ", " } + kernels->name;
    }
    return "expected one of " + running + " in RTCONFORM_COMPACT_KERNELS, which run on this machine, found \""
        + std::string { wanted } + '"';
}

} // namespace rtconform::compact
