#!/usr/bin/env python3
"""Writes metrics.json: labelled probabilities beside their figures by scikit-learn and numpy, and their calibration by scipy.

    make_metrics.py > metrics.json

Needs the Python packages numpy, scikit-learn and scipy. Seeds are fixed; the bootstrap's draws are Philox4x32-10 as in
src/engine/random.cc.
"""
import json

import numpy as np
from scipy.optimize import minimize
from sklearn import metrics

MASK = 0xFFFFFFFF


def draw(seed, index):
    counter, key = [index & MASK, index >> 32, 0, 0], [seed & MASK, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(b >> 32) ^ counter[1] ^ key[0], b & MASK, (a >> 32) ^ counter[3] ^ key[1], a & MASK]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return ((counter[0] << 32 | counter[1]) >> 11) * 2.0**-53


def figures(p, y, precision):
    n, k = p.shape
    best = p.argmax(1)
    confidence, right = p.max(1), best == y
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, 15) if len(part)]
    bins = [{"rows": len(part), "confidence": confidence[part].mean(), "accuracy": right[part].mean()} for part in parts]
    ece = sum(b["rows"] / n * abs(b["accuracy"] - b["confidence"]) for b in bins)
    risks, coverage, taken, wrong = [], 0.0, 0, 0.0
    for c in sorted(set(confidence), reverse=True):       # equal confidences share their errors evenly
        group = confidence == c
        share = (~right[group]).mean()
        risks += [(wrong + share * i) / (taken + i) for i in range(1, group.sum() + 1)]
        taken, wrong = taken + int(group.sum()), wrong + (~right[group]).sum()
        if taken - wrong >= precision * taken:
            coverage = taken / n
    return {"accuracy": metrics.accuracy_score(y, best), "macro_f1": metrics.f1_score(y, best, average="macro", zero_division=0), "ece": ece,
            "brier": float(((p - np.eye(k)[y]) ** 2).sum(1).mean()), "log_loss": metrics.log_loss(y, p, labels=list(range(k))),
            "aurc": float(np.mean(risks)), "coverage": coverage}, bins


def calibrated(p, y, shrinkage):
    logs, n, k = np.log(np.maximum(p, 1e-30)), *p.shape

    def loss(x):
        z = np.exp(x[0]) * logs + x[1:]
        m = z.max(1, keepdims=True)
        total = (m[:, 0] + np.log(np.exp(z - m).sum(1)) - z[np.arange(n), y]).sum()
        return total + 0.5 * x[0] ** 2 + 0.5 * shrinkage * (x[1:] ** 2).sum()

    best = min((minimize(loss, np.zeros(k + 1), method=m, options={"maxiter": 20000} | extra) for m, extra in
                (("BFGS", {"gtol": 1e-9}), ("L-BFGS-B", {"gtol": 1e-12, "ftol": 1e-16}))), key=lambda r: r.fun)
    return {"shrinkage": shrinkage, "temperature": float(np.exp(-best.x[0])), "biases": best.x[1:].tolist()}


def case(name, n, k, sharpness, seed, digits):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[y] + np.linspace(0, 0.8, k)
    p = np.exp(sharpness * logits)
    p /= p.sum(1, keepdims=True)
    if digits:                                            # many equal confidences
        p = np.round(p, digits)
        p[:, 0] += 1 - p.sum(1)
        p = np.clip(p, 0, 1)
        p /= p.sum(1, keepdims=True)
    values, bins = figures(p, y, 0.8)
    best = p.argmax(1)
    f = metrics.precision_recall_fscore_support(y, best, labels=list(range(k)), zero_division=0)
    resampled = [figures(p[i], y[i], 0.8)[0] for i in
                 ([int(draw(7, r * n + j) * n) for j in range(n)] for r in range(20))]
    intervals = {key: [float(v) for v in np.percentile([r[key] for r in resampled], [2.5, 97.5])] for key in values
                 if not (digits and key in ("ece",))}     # bins cut through equal confidences in the order of the rows
    top = np.sort(p, 1)
    margin = top[:, -1] - top[:, -2]
    return {"name": name, "labels": k, "probabilities": p.ravel().tolist(), "truth": y.tolist(), "figures": values, "bins": bins,
            "confusion": metrics.confusion_matrix(y, best, labels=list(range(k))).tolist(),
            "by_label": [{"precision": a, "recall": b, "f1": c, "rows": int(d)} for a, b, c, d in zip(*f)],
            "intervals": intervals, "auroc_of_margin": metrics.roc_auc_score(best == y, margin),
            "fits": [] if digits else [calibrated(p, y, s) for s in (1.0, 30.0)]}


print(json.dumps([case("plain", 60, 4, 2.0, 1, None), case("ties", 47, 3, 1.5, 2, 1), case("few", 9, 5, 1.0, 3, None)], default=float))
