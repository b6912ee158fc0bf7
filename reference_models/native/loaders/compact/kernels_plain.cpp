// No instructions beyond what the compiler may use anyway.
#include "kernels.h"

namespace rtconform::compact
{
namespace
{

constexpr uint32_t lanes = 4;
constexpr int32_t input_offset = 0;

typedef float FourFloats __attribute__((vector_size(16), may_alias));
typedef int32_t FourInts __attribute__((vector_size(16), may_alias));
typedef uint16_t FourHalves __attribute__((vector_size(8), may_alias));

/** As from_half() in half.h. There are no infinities among weights. */
inline FourFloats half_vector(const uint16_t* p)
{
    const auto halves = __builtin_convertvector(*reinterpret_cast<const FourHalves*>(p), FourInts);
    const auto size = halves & 0x7fff;
    const auto normal = (size << 13) + 0x38000000;
    const auto denormal = reinterpret_cast<FourInts>(reinterpret_cast<FourFloats>(size + 0x3f000000) - 0.5f);
    const auto is_denormal = size < 0x400;
    return reinterpret_cast<FourFloats>((is_denormal & denormal) | (~is_denormal & normal) | ((halves & 0x8000) << 16));
}

template <typename Ints>
inline Ints dot(Ints sum, int32_t x, const int8_t* w)
{
    for(uint32_t l = 0; l < lanes; ++l)
        for(uint32_t i = 0; i < 4; ++i)
            sum[l] += static_cast<int8_t>(x >> (8 * i)) * w[4 * l + i];
    return sum;
}

bool runs_here()
{
    return true;
}

} // namespace
} // namespace rtconform::compact

#include "kernels_body.h"

const rtconform::compact::Kernels rtconform::compact::kernels_plain
    = rtconform::compact::kernels_named("plain", rtconform::compact::runs_here);
