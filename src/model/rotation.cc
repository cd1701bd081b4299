#include "model/rotation.h"

#include <cmath>
#include <cstdint>

namespace lfm::model {

SineCosine SineCosineOf(double x) {
  constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  constexpr double kHalfPi = 0x1.921fb54442d18p+0, kHalfPiRest = 0x1.1a62633145c07p-54;  // their sum has 107 bits
  const double n = std::floor(x * kTwoOverPi + 0.5);
  const double r = std::fma(-n, kHalfPiRest, std::fma(-n, kHalfPi, x));
  const double z = r * r;

  // sin r = r - r^3/3! + …, cos r = 1 - r^2/2! + …; Horner's scheme on z.
  constexpr double kSine[] = {-1.0 / 6,
                              1.0 / 120,
                              -1.0 / 5040,
                              1.0 / 362880,
                              -1.0 / 39916800.0,
                              1.0 / 6227020800.0,
                              -1.0 / 1307674368000.0,
                              1.0 / 355687428096000.0};
  constexpr double kCosine[] = {1.0 / 24,
                                -1.0 / 720,
                                1.0 / 40320,
                                -1.0 / 3628800,
                                1.0 / 479001600.0,
                                -1.0 / 87178291200.0,
                                1.0 / 20922789888000.0,
                                -1.0 / 6402373705728000.0};
  double s = kSine[7], c = kCosine[7];
  for (int i = 6; i >= 0; --i) {
    s = std::fma(s, z, kSine[i]);
    c = std::fma(c, z, kCosine[i]);
  }
  const double sine = std::fma(r * z, s, r);
  const double half = 0.5 * z, head = 1 - half;  // 1 - half loses what the parentheses give back
  const double cosine = head + ((1 - head - half) + z * z * c);

  switch (static_cast<int64_t>(n) & 3) {
    case 0: return {sine, cosine};
    case 1: return {cosine, -sine};
    case 2: return {-sine, -cosine};
    default: return {-cosine, sine};
  }
}

double PowerOf(double base, double exponent) {
  double power = 1, root = base;
  for (int digit = 0; digit < 32 && exponent > 0; ++digit) {
    root = std::sqrt(root);
    exponent *= 2;
    if (exponent >= 1) {
      power *= root;
      exponent -= 1;
    }
  }
  return power;
}

}  // namespace lfm::model
