// A streaming change of sample rate by a rational factor: the interior of scipy.signal.resample_poly, sample by sample.
//
// The filter is scipy's default: a sinc with its cutoff at the lower of the two Nyquist frequencies, under a Kaiser
// window with beta 5 that reaches 10 max(up, down) taps to either side, at the common rate of both. Its delay is removed:
// output m stands at the instant of input m down / up. So the last inputs that it needs are yet to come, and that is all
// the latency there is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace rtconform::plugin
{

/** One channel, in double precision. Different ones may run on different threads at once. */
class Resampler
{
public:
    static constexpr uint32_t max_factor = 768'000;

    /** up / down is the output's rate by the input's; any common divisor is taken out first. Equal rates pass through.
        Keeps some 160 bytes for each unit of max(up, down), 51 kB from 48,000 to 22,050 Hz. Throws
        std::invalid_argument for a factor outside 1 to max_factor, std::bad_alloc. [main-thread] */
    Resampler(uint32_t up, uint32_t down);

    /** Takes one finite input sample. Call next() until it is empty before the next push. [audio-thread] */
    void push(double sample) noexcept;

    /** The next output whose filter is full, if there is one: it has just met the last input that it needs.
        [audio-thread] */
    std::optional<double> next() noexcept;

    /** Back to silence before the first sample. [audio-thread] */
    void reset() noexcept;

    /** The most inputs that have to follow the instant of an output before it comes. Output m comes with input
        floor(m down / up + 10 max(up, down) / up): this many inputs behind the first one at or after its instant, or one
        less; always this many where its instant is that of an input. [any thread] */
    uint32_t latency() const { return reach_ / up_; }

    /** The first input at or after the instant of an output, both counted from 0. [any thread] */
    uint64_t input_at(uint64_t output) const { return (output * down_ + up_ - 1) / up_; }

private:
    uint32_t up_, down_;
    uint32_t reach_; // taps to either side of the middle one
    size_t taps_;    // that meet an input, for one output
    std::vector<double> phases_; // [up][taps], the tap of the oldest input first
    std::vector<double> history_; // [2 taps]: each input twice, so that the last `taps` always stand in one piece
    size_t newest_;
    uint64_t phase_; // the tap that the newest input has in the next output; from `up` on, that one has to wait
};

} // namespace rtconform::plugin
