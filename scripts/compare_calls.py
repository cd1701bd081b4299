#!/usr/bin/env python3
"""Compares `lfm parse` with Python's own reading of calls.

usage: compare_calls.py LFM [--bfcl FOLDER] [--random N] [--seed S] [--every-split]

--bfcl FOLDER  a folder with BFCL's answers (possible_answer of the Berkeley Function Calling Leaderboard): the call
               strings of its multi-turn files are read as they stand, all other answers are written as calls first
--random N     N random calls (default 2000), written by repr, by json, and in single quotes without escaping

What Python's ast reads as a call with named literals must come out the same, and what it does not (positional values,
expressions) must stay text. Exits with 1 if anything differs.
"""
import argparse
import ast
import json
import pathlib
import random
import subprocess
import sys

START, END = "<|tool_call_start|>", "<|tool_call_end|>"


class NoCall(Exception):
    pass


def key_text(key):
    return key if isinstance(key, str) else json.dumps(key)


def value_of(node):
    """The value of a literal; sets and tuples are lists, bare words are texts, keys are texts."""
    if isinstance(node, ast.Constant):
        if node.value is Ellipsis or isinstance(node.value, (bytes, complex)):
            raise NoCall
        return node.value
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [value_of(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {key_text(value_of(k)): value_of(v) for k, v in zip(node.keys, node.values)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        number = value_of(node.operand)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise NoCall
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "null": None}.get(node.id, node.id)
    raise NoCall


def call_of(node):
    if not isinstance(node, ast.Call) or node.args:
        raise NoCall
    return {"name": ast.unparse(node.func), "arguments": {k.arg: value_of(k.value) for k in node.keywords}}


def calls_by_ast(text):
    """The calls of "[f(a=1), …]", those that are none left out."""
    calls = []
    for node in ast.parse(text, mode="eval").body.elts:
        try:
            calls.append(call_of(node))
        except NoCall:
            pass
    return calls


def bfcl_cases(folder):
    strings = {}
    for path in sorted(pathlib.Path(folder).glob("*multi_turn*.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            for turn in json.loads(line)["ground_truth"]:
                strings.update(dict.fromkeys(turn))
    print(f"{len(strings)} call strings in the multi-turn answers")
    cases = [(f"[{s}]", calls_by_ast(f"[{s}]")) for s in strings]
    n = 0
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            truth = json.loads(line)["ground_truth"]
            if not truth or not isinstance(truth[0], dict):
                continue
            calls = []
            for entry in truth:
                for name, arguments in entry.items():
                    first = {k: v[0] for k, v in arguments.items() if v and v[0] != ""}
                    calls.append({"name": name, "arguments": first})
            n += 1
            for write in (repr, lambda v: json.dumps(v, ensure_ascii=False)):
                cases.append((written(calls, write), calls))
    print(f"{n} answers written as calls, twice each")
    return cases


def written(calls, write):
    return "[" + ", ".join(c["name"] + "(" + ", ".join(f"{k}={write(v)}" for k, v in c["arguments"].items()) + ")" for c in calls) + "]"


def as_template(value):
    """As LFM2.5's template writes: texts in single quotes, as they are."""
    return f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


WORDS = ["it's", "o'clock", "don't", "x", "naïve", "東京", "🍕", "a, b", "(c)", "[d]", "{e: f}", "=", "\\", "\n", "\t", '"q"', "C:\\new", "\u2028",
         "\\u0041", "None", "#", "%s", "<b>", "\x00", "'", '"', "''", "'''"]


def random_text(rng, words):
    return rng.choice(["", " ", ", "]).join(rng.choice(words) for _ in range(rng.randrange(5)))


def random_value(rng, depth=0):
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return rng.choice([True, False, None])
    if kind == 1:
        return rng.choice([0, -1, 7, 10**30, -(2**63)]) + rng.randrange(5)
    if kind == 2:
        return rng.choice([0.5, -1e-7, 1e22, 3.25, -0.0]) * rng.choice([1, 3, 1e5])
    if kind <= 5:
        return random_text(rng, WORDS)
    if kind <= 7:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {random_text(rng, WORDS): random_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def random_cases(n, seed):
    rng = random.Random(seed)
    plain = ["it's", "o'clock", "don't", "x", "Zürich", "rock'n'roll", "5", "(a)", "p.m."]
    cases = []
    for _ in range(n):
        calls = [{"name": rng.choice(["f", "pkg.g", "h_1"]), "arguments": {k: random_value(rng) for k in rng.sample("abcde", rng.randrange(5))}}
                 for _ in range(rng.randrange(1, 4))]
        cases.append((written(calls, repr), calls))
        cases.append((json.dumps(calls, ensure_ascii=rng.random() < 0.5), calls))
        talk = [{"name": "say", "arguments": {"text": " ".join(rng.choice(plain) for _ in range(6)), "n": rng.randrange(9)}}
                for _ in range(rng.randrange(1, 4))]
        cases.append((written(talk, as_template), talk))
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lfm")
    parser.add_argument("--bfcl")
    parser.add_argument("--random", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every-split", action="store_true")
    args = parser.parse_args()
    cases = random_cases(args.random, args.seed) + (bfcl_cases(args.bfcl) if args.bfcl else [])
    rows = "".join(json.dumps({"text": START + text + END}) + "\n" for text, _ in cases)
    command = [args.lfm, "parse", "--jsonl"] + (["--every-split"] if args.every_split else [])
    lines = subprocess.run(command, input=rows, capture_output=True, text=True, encoding="utf-8", check=True).stdout.split("\n")[:-1]
    bad = 0
    for (text, calls), line in zip(cases, lines, strict=True):
        got = json.loads(line)
        # repr tells 1 from 1.0 and -0.0 from 0.0; a text without any call stays text
        same = repr(got["calls"]) == repr(calls) and got["content"] == (None if calls else START + text + END) and "differs" not in got
        if not same:
            bad += 1
            print(f"differs: {text}\n  want {calls}\n  got  {got}")
    print(f"{len(cases) - bad} of {len(cases)} equal")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
