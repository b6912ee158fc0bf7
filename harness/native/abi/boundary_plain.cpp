#include "boundary.h"

namespace rtc {

Boundary::Boundary(Crossing) noexcept {}
Boundary::~Boundary() = default;

}  // namespace rtc
