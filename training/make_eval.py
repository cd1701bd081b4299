"""Writes the held-out sets: make_eval.py OUT [--cases 500] -> OUT/routing.jsonl, tools.jsonl, json.jsonl, talk.jsonl

One case a line: messages, tools (where there are any), answer. Wordings, names, cities and values are those that training never sees.
"""
import argparse
import json
import os

import tasks
import words


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out"), a.add_argument("--cases", type=int, default=500), a.add_argument("--seed", type=int, default=2026)
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    for name in tasks.TASKS:
        source, seen = words.Source(f"{a.seed} {name}", held=True), set()
        with open(f"{a.out}/{name}.jsonl", "w", encoding="utf-8") as f:
            while len(seen) < (a.cases if name in tasks.EVALS else a.cases // 5):
                line = json.dumps(tasks.mixed(source, {name: 1}), ensure_ascii=False)
                if line not in seen:
                    seen.add(line)
                    f.write(line + "\n")


if __name__ == "__main__":
    main()
