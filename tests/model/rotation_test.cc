// Sines, cosines and powers against values computed with 200 bits, and against libm where it is right.
#include "model/rotation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lfm::model {
namespace {

TEST(Rotation, TrueValues) {
  const struct {
    double x, sine, cosine;
  } kTrue[] = {{0, 0, 1},
               {1, 0x1.aed548f090ceep-1, 0x1.14a280fb5068cp-1},
               {100000, 0x1.24daa9c527e96p-5, -0x1.ffac3841b3da7p-1},
               {2147483520, 0x1.00ca279bf254fp-1, -0x1.baf2ba3592a46p-1}};
  for (const auto& row : kTrue) {
    const SineCosine turn = SineCosineOf(row.x);
    EXPECT_NEAR(turn.sine, row.sine, 2e-16) << row.x;
    EXPECT_NEAR(turn.cosine, row.cosine, 2e-16) << row.x;
  }
}

TEST(Rotation, TheFloatsOfTheReference) {
  for (const double base : {1e6, 5e6, 1e4}) {
    for (int i = 0; i < 32; ++i) {
      const double exponent = i / 32.0;
      const auto frequency = 1.0f / static_cast<float>(PowerOf(base, exponent));
      EXPECT_EQ(frequency, 1.0f / static_cast<float>(std::pow(base, exponent)));
      for (int position = 0; position < 20000; position += 7) {
        const double angle = static_cast<double>(static_cast<float>(position) * frequency);
        const SineCosine turn = SineCosineOf(angle);
        ASSERT_NEAR(turn.sine, std::sin(angle), 3e-16) << angle;
        ASSERT_NEAR(turn.cosine, std::cos(angle), 3e-16) << angle;
      }
    }
  }
}

}  // namespace
}  // namespace lfm::model
