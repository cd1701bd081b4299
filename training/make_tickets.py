"""Writes the tickets of docs/classify.md: make_tickets.py OUT -> OUT/tickets.csv (500 rows, held out), tickets-fit.csv (100 rows
to fit a calibration on) and tickets-none.csv (200 messages for which no label is right).

Labels are the eight of the shop in wordings/intents.txt. Half of tickets.csv are the held-out wordings of that file, the other
half those of wordings/tickets.txt below each ---; tickets-fit.csv takes the ones above it, so no wording is in both. Greetings are those
of the held-out world. No sentence that a training wording can give is written. tickets-none.csv has the held-out wordings of all other intents.
"""
import argparse
import csv
import os

import words
from intents import INTENTS

SHOP = [i for i in INTENTS if i["domain"] == "shop"]
TRAINING = {s for i in INTENTS for p in i["says"][0] for s in words.expansions(p)}


def wordings():
    """Label -> (patterns to fit on, patterns to test on)."""
    found, label, part = {}, None, 0
    for line in words.lines("tickets"):
        if label is None:
            found[label := line], part = ([], []), 0
        elif line == "==":
            label = None
        elif line == "---":
            part = 1
        else:
            found[label][part].append(line)
    return found


def draw(source, seen, pick):
    """A message that no other row has and no training wording gives."""
    while True:
        label, pattern = pick()
        text = words.expand(source.rng, pattern)
        message = source.chatter(text)
        if message not in seen and " ".join(text.lower().split()) not in TRAINING:
            seen.add(message)
            return message, label


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([("message", "label"), *rows])


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out"), a.add_argument("--seed", type=int, default=2027)
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    source, seen, own = words.Source(f"{a.seed} tickets", held=True), set(), wordings()
    names = [i["labels"][0] for i in SHOP]
    assert sorted(own) == sorted(names)
    held = {i["labels"][0]: i["says"][1] for i in SHOP}
    others = [p for i in INTENTS if i["domain"] != "shop" for p in i["says"][1]]

    def of(pools):
        label = source.one(names)
        return label, source.one(source.one(pools)(label))

    test = [draw(source, seen, lambda: of([held.get, lambda n: own[n][1]])) for _ in range(500)]
    fit = [draw(source, seen, lambda: of([lambda n: own[n][0]])) for _ in range(100)]
    none = [draw(source, seen, lambda: ("", source.one(others))) for _ in range(200)]
    for name, rows in (("tickets", test), ("tickets-fit", fit), ("tickets-none", none)):
        write(f"{a.out}/{name}.csv", rows)


if __name__ == "__main__":
    main()
