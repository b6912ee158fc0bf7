#include <rtconform_plugin/log_mel.h>

#include "mel_filters.h"

#include <kissfft/kissfft.hh>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <functional>
#include <numeric>

namespace rtconform::plugin
{

static constexpr double kPi = 3.14159265358979323846;
static constexpr double kFloor = 1e-10; // of power: -100 dB

struct LogMel::Analysis
{
    // A real transform of 2048 is a complex one of 1024; for powers of two KissFFT's class allocates nothing in it.
    kissfft<double> fft { window / 2, false };
    std::vector<MelFilter> filters = mel_filters(rate, window, bands);
    std::array<double, window> hann;
    std::array<double, window> windowed {};
    std::array<std::complex<double>, window / 2> spectrum {};
    std::array<double, window / 2 + 1> power {};
    std::array<float, bands> features {};

    Analysis()
    {
        // The sum of a periodic Hann window is exactly half its length, a power of two: dividing by it costs no rounding.
        for(uint32_t n = 0; n < window; ++n)
            hann[n] = (0.5 - 0.5 * std::cos(2.0 * kPi * n / window)) / (window / 2);
    }
};

LogMel::LogMel() : analysis_ { std::make_unique<Analysis>() }, samples_(window) { }
LogMel::~LogMel() = default;
LogMel::LogMel(LogMel&&) noexcept = default;
LogMel& LogMel::operator=(LogMel&&) noexcept = default;

const float* LogMel::features() noexcept
{
    auto& a = *analysis_;
    std::transform(samples_.begin(), samples_.end(), a.hann.begin(), a.windowed.begin(), std::multiplies<> {});
    filled_ = static_cast<size_t>(std::copy(samples_.begin() + hop, samples_.end(), samples_.begin()) - samples_.begin());

    a.fft.transform_real(a.windowed.data(), a.spectrum.data());
    // Bin 0 holds two real values: those of 0 Hz and of the Nyquist frequency.
    a.power.front() = a.spectrum[0].real() * a.spectrum[0].real();
    a.power.back() = a.spectrum[0].imag() * a.spectrum[0].imag();
    std::transform(a.spectrum.begin() + 1, a.spectrum.end(), a.power.begin() + 1,
        [](const std::complex<double>& bin)
        { return std::norm(bin); });

    for(uint32_t band = 0; band < bands; ++band)
    {
        const auto& [first_bin, weights] = a.filters[band];
        const double power = std::inner_product(weights.begin(), weights.end(), a.power.begin() + first_bin, 0.0);
        const double decibels = 10.0 * std::log10(std::max(power, kFloor));
        a.features[band] = static_cast<float>(std::clamp(decibels / 40.0 + 1.0, -1.0, 1.0));
    }
    return a.features.data();
}

} // namespace rtconform::plugin
