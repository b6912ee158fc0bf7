// What the detectors have noted, as it stands in a reply.
#pragma once

#include "../probe/watch.h"
#include "fields.h"

namespace rtc::host {

// Each with the stack that led to the first of its kind, without the host's own frames.
Json offences_to_json();

// The kinds that can't be seen here, each with the reason.
Json unseen_to_json(const probe::Detectors& detectors);

}  // namespace rtc::host
