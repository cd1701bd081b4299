// The minimum of a smooth function, for the fit of a calibration.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace lfm::classify {

// The value at x; writes the gradient there.
using SmoothFunction = std::function<double(std::span<const double> x, std::span<double> gradient)>;

// L-BFGS with ten pairs and a backtracking line search (Nocedal and Wright, "Numerical optimization", 7.2 and 3.1), from x
// on, which becomes the place. Ends where no component of the gradient is above 1e-9 of 1 + |value|, where a step gains
// nothing, or after 500 steps. Deterministic.
void Minimise(const SmoothFunction& function, std::vector<double>& x);

}  // namespace lfm::classify
