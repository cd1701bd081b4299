// x ~ scale * level: the scale that loses least, for 16 sub-blocks at once.

// The best scale so far of each lane, how much of the weighted square of x it explains, and the curvature of the error
// around it: error(s) = const - gain + curve * (s - scale)^2 while no level changes.
struct ScaleFit {
  Lanes scale, gain, curve;
};

// Takes levels at `inverse` * x, fits the scale to them by least squares, and keeps it where it explains more.
template <class Levels, int N>
LFM_INLINE void TryInverse(const Group<N>& group, const Lanes& inverse, ScaleFit& best) {
  Lanes xv = Fill(0), vv = Fill(0);
  for (int i = 0; i < N; ++i) {
    const Lanes v = Levels::Nearest(group.x[i] * inverse);
    const Lanes wv = group.w[i] * v;
    xv += wv * group.x[i];
    vv += wv * v;
  }
  const Lanes scale = Ratio(xv, vv), gain = scale * xv;
  const Mask better = gain > best.gain;
  best.scale = Select(better, scale, best.scale);
  best.curve = Select(better, vv, best.curve);
  best.gain = Select(better, gain, best.gain);
}

// Candidates put the largest value at and around the ends of the levels; the best is refined by taking levels and
// fitting in turn. kSteps candidates on each side of an end, `spread` is the farthest as a share of the end.
template <class Levels, int N, int kSteps, bool kBothEnds>
LFM_INLINE ScaleFit SearchScale(const Group<N>& group, float spread) {
  Lanes extreme = Fill(0);
  for (int i = 0; i < N; ++i) extreme = Select(Abs(group.x[i]) > Abs(extreme), group.x[i], extreme);
  const Lanes unit = Ratio(Fill(1), extreme);
  ScaleFit best{Fill(0), Fill(0), Fill(0)};
  for (int i = -kSteps; i <= kSteps; ++i) {
    const float share = 1.0f + spread * static_cast<float>(i) / static_cast<float>(kSteps);
    TryInverse<Levels, N>(group, unit * (Levels::kLow * share), best);
    if (kBothEnds) TryInverse<Levels, N>(group, unit * (Levels::kHigh * share), best);
  }
  for (int i = 0; i < 2; ++i) TryInverse<Levels, N>(group, Ratio(Fill(1), best.scale), best);
  return best;
}

// The weighted squared error of each lane with these scales.
template <class Levels, int N>
LFM_INLINE Lanes ScaleError(const Group<N>& group, const Lanes& scale) {
  const Lanes inverse = Ratio(Fill(1), scale);
  Lanes error = Fill(0);
  for (int i = 0; i < N; ++i) {
    const Lanes e = group.x[i] - scale * Levels::Nearest(group.x[i] * inverse);
    error += group.w[i] * e * e;
  }
  return error;
}
