// A mel filter bank by Slaney's formulas, as librosa.filters.mel makes it by default (htk=False, norm="slaney").
//
// The scale is linear up to 1 kHz, 200/3 Hz to a mel, and logarithmic above, 27 mels to a factor of 6.4. Edges are
// equally spaced in mels; filter b rises from edge b to edge b + 1 and falls to edge b + 2, and has area 1 in Hz.
// (M. Slaney, Auditory Toolbox, Technical Report 1998-010, Interval Research Corporation.)
#pragma once

#include <cstdint>
#include <vector>

namespace rtconform::plugin
{

/** One triangle: its weights from one bin of the spectrum on, 0 everywhere else. */
struct MelFilter
{
    uint32_t first_bin;
    std::vector<double> weights;
};

/** Filters [bands] from 0 to rate / 2 Hz for the spectrum of a real window, [window / 2 + 1] bins. */
std::vector<MelFilter> mel_filters(uint32_t rate, uint32_t window, uint32_t bands);

} // namespace rtconform::plugin
