// AVX2 with a dot instruction: Intel since Alder Lake, AMD since Zen 5.
#include "kernels.h"

#include <immintrin.h>

#include <cpuid.h>

namespace rtconform::compact
{
namespace
{

constexpr uint32_t lanes = 8;
constexpr int32_t input_offset = 128;

inline __m256 half_vector(const uint16_t* p)
{
    return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

template <typename Ints>
inline Ints dot(Ints sum, int32_t x, const int8_t* w)
{
    const auto weights = _mm256_load_si256(reinterpret_cast<const __m256i*>(w));
    return reinterpret_cast<Ints>(
        _mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), _mm256_set1_epi32(x), weights));
}

/** Not every compiler knows a name for this feature: bit 4 of EAX in the subleaf 1 of leaf 7. */
bool runs_here()
{
    unsigned int a = 0, b = 0, c = 0, d = 0;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
        && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1u << 4) != 0;
}

} // namespace
} // namespace rtconform::compact

#include "kernels_body.h"

const rtconform::compact::Kernels rtconform::compact::kernels_avx_vnni
    = rtconform::compact::kernels_named("avx-vnni", rtconform::compact::runs_here);
