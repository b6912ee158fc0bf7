#include <rtconform_plugin/resampler.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

namespace rtconform::plugin
{

static constexpr double kPi = 3.14159265358979323846;
static constexpr double kBeta = 5.0;

/** The modified Bessel function of the first kind and order 0 by its power series (Abramowitz and Stegun 9.6.12). All
    terms are positive, so nothing cancels. C++17 has std::cyl_bessel_i, but not every standard library does. */
static double bessel_i0(double x)
{
    double sum = 1.0, term = 1.0;
    for(int k = 1; term > 1e-17 * sum; ++k)
    {
        term *= (x / (2 * k)) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

/** scipy.signal.firwin(2 reach + 1, 1 / longer, window=("kaiser", 5.0)) times `up`. Of even symmetry. */
static std::vector<double> low_pass(uint32_t up, uint32_t longer, uint32_t reach)
{
    std::vector<double> taps(2 * size_t { reach } + 1);
    for(uint32_t i = 0; i <= reach; ++i)
    {
        const double x = kPi * i / longer;
        const double sinc = i == 0 ? 1.0 : std::sin(x) / x;
        const double r = reach == 0 ? 0.0 : static_cast<double>(i) / reach;
        taps[reach + i] = taps[reach - i] = sinc * bessel_i0(kBeta * std::sqrt(1.0 - r * r));
    }
    const double scale = up / std::accumulate(taps.begin(), taps.end(), 0.0); // gain 1 at 0 Hz
    for(auto& tap : taps)
        tap *= scale;
    return taps;
}

Resampler::Resampler(uint32_t up, uint32_t down)
{
    if(std::min(up, down) < 1 || std::max(up, down) > max_factor)
        throw std::invalid_argument { "up and down: expected whole numbers from 1 to " + std::to_string(max_factor)
            + ", found " + std::to_string(up) + " and " + std::to_string(down) };
    const auto divisor = std::gcd(up, down);
    up_ = up / divisor;
    down_ = down / divisor;
    const auto longer = std::max(up_, down_);
    reach_ = longer == 1 ? 0 : 10 * longer;

    const auto taps = low_pass(up_, longer, reach_);
    taps_ = (taps.size() + up_ - 1) / up_;
    phases_.resize(up_ * taps_);
    for(size_t i = 0; i < taps.size(); ++i)
        phases_[i % up_ * taps_ + (taps_ - 1 - i / up_)] = taps[i];
    history_.resize(2 * taps_);
    reset();
}

void Resampler::push(double sample) noexcept
{
    newest_ = newest_ + 1 == taps_ ? 0 : newest_ + 1;
    history_[newest_] = history_[newest_ + taps_] = sample;
    phase_ -= up_;
}

std::optional<double> Resampler::next() noexcept
{
    if(phase_ >= up_)
        return std::nullopt;
    const auto* const taps = &phases_[phase_ * taps_];
    phase_ += down_;
    return std::inner_product(taps, taps + taps_, &history_[newest_ + 1], 0.0);
}

void Resampler::reset() noexcept
{
    std::fill(history_.begin(), history_.end(), 0.0);
    newest_ = taps_ - 1;
    phase_ = uint64_t { reach_ } + up_;
}

} // namespace rtconform::plugin
