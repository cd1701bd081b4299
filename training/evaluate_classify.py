"""Runs the held-out routing cases through `lfm classify`, each with its own system prompt and labels, and beside it what generating gives:

  evaluate_classify.py LFM MODEL.gguf EVAL/routing.jsonl [--compute f32|auto] [--cases N] [--jobs 2] [--generate]

Prints how many answers are exact and the calibration error of the probabilities. Needs only Python's standard library.
"""
import argparse
import json
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import evaluate
import routing


def labels_of(system):
    """The labels that a system prompt of routing.py lists."""
    for instructions in sorted(routing.SYSTEM[1], key=len, reverse=True):
        if system.startswith(instructions):
            return [re.split(r": | - | = ", line.removeprefix("- "), maxsplit=1)[0] for line in system[len(instructions):].split("\n")]
    raise ValueError(f"no system prompt of the held-out world: {system!r}")


def classify(a, case):
    """(answer, its probability)."""
    system, text = (m["content"] for m in case["messages"])
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as f:
        json.dump(labels_of(system), f)
        f.flush()
        command = [a.lfm, "classify", "-m", a.model, "--threads", "1", "--compute", a.compute, "--labels", f.name, "--system", system,
                   "--format", "jsonl", "--text-column", "text"]
        done = subprocess.run(command, input=json.dumps({"text": text}), capture_output=True, text=True, encoding="utf-8", check=True)
    row = json.loads(done.stdout)
    return row["label"], row["confidence"]


def calibration_error(pairs):
    """15 bins of equal mass; pairs of (probability, right)."""
    pairs, error = sorted(pairs), 0
    for b in range(15):
        part = pairs[len(pairs) * b // 15:len(pairs) * (b + 1) // 15]
        error += abs(sum(p for p, _ in part) - sum(right for _, right in part)) / len(pairs)
    return error


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("lfm"), p.add_argument("model"), p.add_argument("cases_file"), p.add_argument("--compute", default="f32", choices=["f32", "auto"])
    p.add_argument("--cases", type=int), p.add_argument("--jobs", type=int, default=2), p.add_argument("--generate", action="store_true")
    p.set_defaults(held=False)  # of evaluate.ask: no answer is held to a form
    a = p.parse_args()
    with open(a.cases_file, encoding="utf-8") as f:
        cases = [json.loads(line) for line in f][:a.cases]
    with ThreadPoolExecutor(a.jobs) as pool:
        rows = list(pool.map(lambda c: classify(a, c), cases))
        texts = list(pool.map(lambda c: evaluate.ask(a, c), cases)) if a.generate else []
    right = [label == c["answer"] for (label, _), c in zip(rows, cases)]
    print(f"classified {sum(right)}/{len(cases)} = {100 * sum(right) / len(cases):.1f} %, ECE {calibration_error([(p, r) for (_, p), r in zip(rows, right)]):.4f}")
    if texts:
        good = sum(t == c["answer"] for t, c in zip(texts, cases))
        print(f"generated  {good}/{len(cases)} = {100 * good / len(cases):.1f} %, the same answer in {sum(t == row[0] for t, row in zip(texts, rows))}")


if __name__ == "__main__":
    main()
