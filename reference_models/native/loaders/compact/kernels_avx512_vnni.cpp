// AVX-512 with its dot instruction: Intel since Ice Lake, AMD since Zen 4.
#include "kernels.h"

#include <immintrin.h>

namespace rtconform::compact
{
namespace
{

constexpr uint32_t lanes = 16;
constexpr int32_t input_offset = 128;

inline __m512 half_vector(const uint16_t* p)
{
    // By the masked form, whose header of GCC 12 doesn't warn.
    return _mm512_maskz_cvtph_ps(0xffff, _mm256_load_si256(reinterpret_cast<const __m256i*>(p)));
}

template <typename Ints>
inline Ints dot(Ints sum, int32_t x, const int8_t* w)
{
    return reinterpret_cast<Ints>(
        _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), _mm512_set1_epi32(x), _mm512_load_si512(w)));
}

bool runs_here()
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx2")
        && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

} // namespace
} // namespace rtconform::compact

#include "kernels_body.h"

const rtconform::compact::Kernels rtconform::compact::kernels_avx512_vnni
    = rtconform::compact::kernels_named("avx512-vnni", rtconform::compact::runs_here);
