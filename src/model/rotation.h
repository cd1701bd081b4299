// Sines, cosines and frequencies of rotary positions, defined here instead of by the machine's libm: only operations that IEEE 754
// rounds in one way (+, -, *, /, sqrt, fma, floor), in a fixed order. So they are the same bits on every machine.
#pragma once

namespace lfm::model {

struct SineCosine {
  double sine, cosine;
};
// Of x in [0, 2^31), each within 1.3e-16 of the true value: x is reduced by multiples of pi/2 held in two doubles, then Taylor's
// series run on |r| <= pi/4 to where they end below a double's precision.
SineCosine SineCosineOf(double x);

// base^exponent for base > 0 and an exponent in [0, 1) of at most 32 binary digits: the product of the roots base^(1/2), base^(1/4), …
// that the digits choose. Within 1e-15 of the true value, relative.
double PowerOf(double base, double exponent);

}  // namespace lfm::model
