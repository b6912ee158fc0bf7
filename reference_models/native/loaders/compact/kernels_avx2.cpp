// AVX2 with FMA and conversion of binary16: Intel since Haswell, AMD since the first Zen.
#include "kernels.h"

#include <immintrin.h>

namespace rtconform::compact
{
namespace
{

constexpr uint32_t lanes = 8;
constexpr int32_t input_offset = 0;

inline __m256 half_vector(const uint16_t* p)
{
    return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

/** The one product of bytes there is takes unsigned ones on one side and saturates its sums of two at 16 bits. With the
    inputs' signs on the weights' side, and both sides at most 127, two products are at most 32258 and fit. */
template <typename Ints>
inline Ints dot(Ints sum, int32_t x, const int8_t* w)
{
    const auto inputs = _mm256_set1_epi32(x);
    const auto weights = _mm256_sign_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(w)), inputs);
    const auto twos = _mm256_maddubs_epi16(_mm256_abs_epi8(inputs), weights);
    return sum + reinterpret_cast<Ints>(_mm256_madd_epi16(twos, _mm256_set1_epi16(1)));
}

bool runs_here()
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

} // namespace
} // namespace rtconform::compact

#include "kernels_body.h"

const rtconform::compact::Kernels rtconform::compact::kernels_avx2
    = rtconform::compact::kernels_named("avx2", rtconform::compact::runs_here);
