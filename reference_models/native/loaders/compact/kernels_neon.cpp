// NEON, which every 64-bit ARM processor has.
#include "kernels.h"

#include <arm_neon.h>

namespace rtconform::compact
{
namespace
{

constexpr uint32_t lanes = 4;
constexpr int32_t input_offset = 0;

inline float32x4_t half_vector(const uint16_t* p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

/** Sums of two products of at most 127 each way fit 16 bits. */
template <typename Ints>
inline Ints dot(Ints sum, int32_t x, const int8_t* w)
{
    const auto weights = vld1q_s8(w);
    const auto inputs = vreinterpret_s8_s32(vdup_n_s32(x));
    const auto low = vpaddlq_s16(vmull_s8(vget_low_s8(weights), inputs));
    const auto high = vpaddlq_s16(vmull_s8(vget_high_s8(weights), inputs));
    return sum + reinterpret_cast<Ints>(vpaddq_s32(low, high));
}

bool runs_here()
{
    return true;
}

} // namespace
} // namespace rtconform::compact

#include "kernels_body.h"

const rtconform::compact::Kernels rtconform::compact::kernels_neon
    = rtconform::compact::kernels_named("neon", rtconform::compact::runs_here);
