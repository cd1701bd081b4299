"""Tables for `lfm classify eval` and `fit` from public sets of intents: public_sets.py CLINC/data BANKING77 OUT

CLINC/data is the folder of clinc/oos-eval (data_full.json, domains.json), BANKING77 that of PolyAI-LDN/task-specific-datasets (banking_data: train.csv,
test.csv). Neither is part of this repository; nothing here is trained on them.
"""
import csv
import json
import os
import random
import sys


def main():
    clinc, banking, out = sys.argv[1:4]
    os.makedirs(out, exist_ok=True)
    rng = random.Random(1)

    def write(name, labels, test, fit):
        with open(f"{out}/{name}.json", "w", encoding="utf-8") as f:
            json.dump(labels, f)
        for part, rows in (("test", test), ("fit", fit)):
            with open(f"{out}/{name}-{part}.csv", "w", encoding="utf-8", newline="") as f:
                csv.writer(f).writerows([("message", "label"), *rows])

    with open(f"{clinc}/data_full.json", encoding="utf-8") as f:
        full = json.load(f)
    with open(f"{clinc}/domains.json", encoding="utf-8") as f:
        domain = json.load(f)["banking"]
    names = sorted({label for _, label in full["test"]})
    unknown = [(text, "") for text, _ in full["oos_test"]]
    write("clinc", names, rng.sample(full["test"], 500) + rng.sample(unknown, 100), rng.sample(full["val"], 300))
    write("clinc-banking", domain, [row for row in full["test"] if row[1] in domain], [row for row in full["val"] if row[1] in domain])
    parts = []
    for part in ("test", "train"):
        with open(f"{banking}/{part}.csv", encoding="utf-8", newline="") as f:
            parts.append([row[:2] for row in csv.reader(f)][1:])
    write("banking77", sorted({row[1] for row in parts[0]}), rng.sample(parts[0], 500), rng.sample(parts[1], 300))


if __name__ == "__main__":
    main()
