#include "../abi/boundary.h"

#include "ledger.h"

namespace rtc {

Boundary::Boundary(Crossing crossing) noexcept { probe::ledger::enter(crossing == Crossing::open); }
Boundary::~Boundary() { probe::ledger::leave(); }

}  // namespace rtc
