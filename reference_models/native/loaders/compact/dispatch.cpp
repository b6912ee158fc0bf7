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

/** Whether another set that runs here is quicker, which stands behind this one. AMD's Zen 4 converts 16 halves at once in
    more time than twice eight. */
static bool is_outrun([[maybe_unused]] const Kernels* kernels, [[maybe_unused]] Precision precision)
{
#if defined(__x86_64__)
    return kernels == &kernels_avx512_vnni && precision == Precision::f16 && __builtin_cpu_is("amd");
#else
    return false;
#endif
}

std::variant<const Kernels*, std::string> chosen_kernels(Precision precision)
{
    const auto* wanted = std::getenv("RTCONFORM_COMPACT_KERNELS");
    std::string running;
    for(const auto* kernels : all_kernels)
    {
        if(!kernels->runs_here())
            continue;
        const bool is_free = wanted == nullptr || *wanted == '\0';
        if(is_free ? !is_outrun(kernels, precision) : std::string { wanted } == kernels->name)
            return kernels;
        running += std::string { running.empty() ? "" : ", " } + kernels->name;
    }
    return "expected one of " + running + " in RTCONFORM_COMPACT_KERNELS, which run on this machine, found \""
        + std::string { wanted } + '"';
}

} // namespace rtconform::compact
