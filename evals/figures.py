"""Scores, intervals, verdicts, indices and the metrics of classification, from plain rows. Standard library only.

A row is one answer: {"item", "value" (0..1), and perhaps "error"}; rows of the same item form a cluster, for repeats of one question say
little beside the first.
"""
import math
from fractions import Fraction

Z = 1.959963984540054  # 95 %


def mean(values):
    return float(Fraction(sum(Fraction(value) for value in values), len(values))) if values else None


def wilson(successes, n):
    """Wilson's 95 % interval of a share: also where all or none succeeded, when the sample's variance says nothing."""
    share, z2 = successes / n, Z * Z
    middle, half = share + z2 / (2 * n), Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def interval(rows, clustered=True):
    """95 % interval of the mean value, None for no rows. Clustered: variance of the sums of residuals by item, times g/(g-1) for g items
    (the estimator of Inspect's stderr(cluster=...)); Wilson over the items where that variance is 0."""
    if not rows:
        return None
    middle, sums = mean([row["value"] for row in rows]), {}
    for index, row in enumerate(rows):
        key = row["item"] if clustered else index
        sums[key] = sums.get(key, 0.0) + row["value"] - middle
    groups = len(sums)
    variance = sum(value * value for value in sums.values())
    if groups < 2 or variance < 1e-18:
        return wilson(middle * groups, groups)
    half = Z * math.sqrt(variance * groups / (groups - 1)) / len(rows)
    return max(0.0, middle - half), min(1.0, middle + half)


def verdict(low_high, card, complete, comparable=True):
    """One of "not comparable", "not run", "partial", "within", "outside". Partial: not the card's items and repeats, or some failed."""
    if low_high is None:
        return "not run"
    if not comparable:
        return "not comparable"
    if not complete:
        return "partial"
    return "within" if low_high[0] <= card <= low_high[1] else "outside"


# The composite figures of the card, of Artificial Analysis' version 4.0; card["terminalbench_hard"] and card["lcr"] are given there as 0.
INDICES = [
    ("Coding Index", "4.0", "(2 x Terminal-Bench Hard + SciCode) / 3, with the card's 0 for the former", {"scicode": 1 / 3}, "coding"),
    ("Math Index", "4.0", "AIME 2025", {"aime": 1.0}, "math"),
    ("Agentic Index", "4.0", "tau2 telecom alone: GDPval-AA has no figure for this model", {"tau2": 1.0}, "agentic"),
    ("Intelligence Index, at least", "4.0", "tau2/12 + SciCode/12 + IFBench/16 + HLE/8 + GPQA/16: the measurable 5 of 10 components, the others taken as 0",
     {"tau2": 1 / 12, "scicode": 1 / 12, "ifbench": 1 / 16, "hle": 1 / 8, "gpqa": 1 / 16}, "intelligence"),
]


def indices(scores, card):
    """The card's indices from scores in 0..1, in points of 100; value None while a part is missing."""
    out = []
    for name, version, formula, weights, key in INDICES:
        missing = [part for part in weights if scores.get(part) is None]
        value = None if missing else 100 * sum(weight * scores[part] for part, weight in weights.items())
        out.append({"name": name, "version": version, "formula": formula, "value": value, "card": card.get(key), "missing": missing})
    return out


def coding_index(terminal_bench_hard, scicode):
    return (2 * terminal_bench_hard + scicode) / 3


def pass_k(outcomes_by_item, k):
    """The chance that k trials of an item all succeed, C(c,k)/C(n,k) averaged over the items; None where an item has fewer than k."""
    if not outcomes_by_item or any(len(outcomes) < k for outcomes in outcomes_by_item):
        return None
    return mean([Fraction(math.comb(sum(map(round, outcomes)), k), math.comb(len(outcomes), k)) for outcomes in outcomes_by_item])


def calibration_error(pairs, size=100):
    """Root mean square of (share right - stated confidence) over bins of `size` answers ordered by confidence, as HLE's authors do."""
    pairs, total = sorted(pairs), 0.0
    for start in range(0, len(pairs), size):
        part = pairs[start:start + size]
        total += len(part) * (mean([c for c, _ in part]) - mean([float(right) for _, right in part])) ** 2
    return math.sqrt(total / len(pairs)) if pairs else None


def reliability(confidences, bins=10):
    """[(low, high, n, mean confidence, share right)] over equal bins of the confidence of the chosen label; empty bins are left out."""
    out = []
    for index in range(bins):
        part = [(c, right) for c, right in confidences if min(int(c * bins), bins - 1) == index]
        if part:
            out.append((index / bins, (index + 1) / bins, len(part), mean([c for c, _ in part]), mean([float(right) for _, right in part])))
    return out


def classification(cases, labels):
    """Metrics of [(true label, predicted label or None, {label: probability} or None)].

    Macro figures are over the labels that occur as truth or prediction (as in scikit-learn); log loss, Brier (sum over labels) and ECE are over
    the cases that have probabilities, with probabilities kept from 0 by 2^-52.
    """
    n = len(cases)
    recalls, f1s = [], []
    for label in labels:
        truth = sum(true == label for true, _, _ in cases)
        predicted = sum(said == label for _, said, _ in cases)
        hits = sum(true == said == label for true, said, _ in cases)
        if truth:
            recalls.append(hits / truth)
        if truth or predicted:
            f1s.append(2 * hits / (truth + predicted))
    known = [(true, said, p) for true, said, p in cases if p is not None]
    tiny = 2.0 ** -52
    logs = [-math.log(max(p.get(true, 0.0), tiny)) for true, _, p in known]
    brier = [sum((p.get(label, 0.0) - (label == true)) ** 2 for label in labels) for true, _, p in known]
    bins = reliability([(max(p.values()), max(p, key=p.get) == true) for true, _, p in known])
    return {
        "n": n, "accuracy": sum(true == said for true, said, _ in cases) / n if n else None,
        "macro_f1": math.fsum(f1s) / len(f1s) if f1s else None, "balanced_accuracy": math.fsum(recalls) / len(recalls) if recalls else None,
        "log_loss": math.fsum(logs) / len(logs) if logs else None, "brier": math.fsum(brier) / len(brier) if brier else None,
        "ece": math.fsum(count * abs(c - right) for _, _, count, c, right in bins) / len(known) if known else None,
        "unanswered": sum(said is None for _, said, _ in cases), "bins": bins,
    }
