// Two masks as one: an answer may be what either of them allows.
#pragma once

#include <memory>

#include "engine/token_mask.h"

namespace lfm::engine {

// Neither is null. What one of them forbids is left to the other from then on.
std::shared_ptr<const TokenMask> MakeEitherMask(const TokenMask& a, const TokenMask& b);

}  // namespace lfm::engine
