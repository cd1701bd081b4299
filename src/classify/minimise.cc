#include "classify/minimise.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

namespace lfm::classify {
namespace {

constexpr size_t kPairs = 10;
constexpr int kMostSteps = 500, kMostHalvings = 40;
constexpr double kEnough = 1e-4;     // of the decrease that the slope promises
constexpr double kRounding = 1e-14;  // of the value: less is none

double Dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void AddScaled(std::vector<double>& to, double factor, std::span<const double> what) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += factor * what[i];
}

struct Pair {
  std::vector<double> step, change;  // of the place, of the gradient
  double inverse;                    // 1 / their product
};

// Minus the approximate inverse Hessian times the gradient.
std::vector<double> Direction(const std::deque<Pair>& pairs, std::span<const double> gradient) {
  std::vector<double> d(gradient.begin(), gradient.end());
  std::vector<double> weights(pairs.size());
  for (size_t i = pairs.size(); i-- > 0;) {
    weights[i] = pairs[i].inverse * Dot(pairs[i].step, d);
    AddScaled(d, -weights[i], pairs[i].change);
  }
  const double scale = pairs.empty() ? 1 / std::max(1.0, std::sqrt(Dot(gradient, gradient)))
                                     : 1 / (pairs.back().inverse * Dot(pairs.back().change, pairs.back().change));
  for (double& value : d) value *= scale;
  for (size_t i = 0; i < pairs.size(); ++i) {
    AddScaled(d, weights[i] - pairs[i].inverse * Dot(pairs[i].change, d), pairs[i].step);
  }
  for (double& value : d) value = -value;
  return d;
}

}  // namespace

void Minimise(const SmoothFunction& function, std::vector<double>& x) {
  std::vector<double> gradient(x.size()), new_gradient(x.size());
  double value = function(x, gradient);
  std::deque<Pair> pairs;
  for (int step = 0; step < kMostSteps; ++step) {
    double most = 0;
    for (const double g : gradient) most = std::max(most, std::abs(g));
    if (most <= 1e-9 * (1 + std::abs(value))) return;
    const std::vector<double> direction = Direction(pairs, gradient);
    const double slope = Dot(direction, gradient);
    if (!(slope < 0)) return;
    double length = 1, new_value = value;
    std::vector<double> next;
    for (int halving = 0;; ++halving) {
      next = x;
      AddScaled(next, length, direction);
      new_value = function(next, new_gradient);
      if (new_value <= value + kEnough * length * slope) break;
      if (halving == kMostHalvings) return;
      length /= 2;
    }
    Pair pair{next, new_gradient, 0};
    AddScaled(pair.step, -1, x);
    AddScaled(pair.change, -1, gradient);
    const double product = Dot(pair.step, pair.change);
    if (product > 1e-14 * Dot(pair.change, pair.change)) {
      pair.inverse = 1 / product;
      pairs.push_back(std::move(pair));
      if (pairs.size() > kPairs) pairs.pop_front();
    }
    const bool gained = value - new_value > kRounding * (1 + std::abs(value));
    x = std::move(next);
    std::swap(gradient, new_gradient);
    value = new_value;
    if (!gained) return;
  }
}

}  // namespace lfm::classify
