#include "mel_filters.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rtconform::plugin
{

static constexpr double kHertzPerMel = 200.0 / 3.0;
static constexpr double kBendHertz = 1000.0;
static constexpr double kBendMel = kBendHertz / kHertzPerMel;
static const double kLogStep = std::log(6.4) / 27.0;

static double to_mel(double hertz)
{
    return hertz < kBendHertz ? hertz / kHertzPerMel : kBendMel + std::log(hertz / kBendHertz) / kLogStep;
}

static double to_hertz(double mel)
{
    return mel < kBendMel ? mel * kHertzPerMel : kBendHertz * std::exp(kLogStep * (mel - kBendMel));
}

std::vector<MelFilter> mel_filters(uint32_t rate, uint32_t window, uint32_t bands)
{
    const double mel_step = to_mel(rate / 2.0) / (bands + 1);
    std::vector<MelFilter> filters;
    for(uint32_t band = 0; band < bands; ++band)
    {
        const double low = to_hertz(mel_step * band);
        const double middle = to_hertz(mel_step * (band + 1));
        const double high = to_hertz(mel_step * (band + 2));
        MelFilter filter { 0, {} };
        for(uint32_t bin = 0; bin <= window / 2; ++bin)
        {
            const double hertz = static_cast<double>(bin) * rate / window;
            const double height = std::min((hertz - low) / (middle - low), (high - hertz) / (high - middle));
            if(height <= 0.0)
                continue;
            if(filter.weights.empty())
                filter.first_bin = bin;
            filter.weights.push_back(height * 2.0 / (high - low));
        }
        filters.push_back(std::move(filter));
    }
    return filters;
}

} // namespace rtconform::plugin
