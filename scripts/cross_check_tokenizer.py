#!/usr/bin/env python3
"""Compares `lfm tokenize` with Hugging Face's tokenizers on random strings. Optional: needs the package `tokenizers`.

  scripts/cross_check_tokenizer.py FOLDER [--program build/release/lfm] [--rows 20000] [--seed 1]

FOLDER holds tokenizer.json (a model folder does). Strings mix words, code points of all planes, white space, digits,
contractions, pieces of the vocabulary and added tokens, whole and cut. Prints the first differences and their count.
"""
import argparse, json, random, subprocess, sys
from tokenizers import Tokenizer

SPACES = [chr(c) for c in [*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, 0x180E, *range(0x2000, 0x2010), 0x2028, 0x2029,
                           0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF]]
TAILS = ["'" + c for c in ["s", "t", "re", "ve", "m", "ll", "d", "S", "RE", "lL", "\u017f", "x", "r", "\u212a", ""]]


def code_point(r):
    low, high = r.choice([(0x20, 0x7F), (0x80, 0x24F), (0x300, 0xD800), (0xE000, 0x20000), (0x20000, 0x32000), (0x1F000, 0x1FB00),
                          (0x10000, 0x11FFF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x10FF00, 0x110000)])
    return chr(r.randrange(low, high))


def part(r, vocabulary, added):
    kind = r.randrange(10)
    if kind == 0:
        return code_point(r) * r.choice([1, 1, 1, 2, 5, 40])
    if kind == 1:
        return r.choice(SPACES) * r.choice([1, 1, 2, 3, 30])
    if kind == 2:
        return r.choice([" ", "\n", "\r\n", "\t", "  ", " \n", "\n "]) * r.choice([1, 1, 2, 7])
    if kind == 3:
        return r.choice(TAILS)
    if kind == 4:
        return str(r.randrange(10 ** r.randrange(1, 12)))
    if kind == 5 and added:
        token = r.choice(added)
        a = r.randrange(len(token) + 1)
        return r.choice([token, token, token[:a], token[a:], token.upper()])
    if kind == 6:
        return "".join(r.choice("aAbBeEsStTlLdDmMrRvV'_.,:;!?()<|>=+-*/#@\"\\ ") for _ in range(r.randrange(1, 12)))
    if kind == 7:
        return "".join(code_point(r) for _ in range(r.randrange(1, 6)))
    return r.choice(vocabulary)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder"), p.add_argument("--program", default="build/release/lfm")
    p.add_argument("--rows", type=int, default=20000), p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    reference, r = Tokenizer.from_file(a.folder + "/tokenizer.json"), random.Random(a.seed)
    added = [t.content for t in reference.get_added_tokens_decoder().values()]
    vocabulary = [reference.decode([i], skip_special_tokens=False).replace("\ufffd", "") for i in range(reference.get_vocab_size())]
    texts = ["".join(part(r, vocabulary, added) for _ in range(r.choice([1, 2, 3, 5, 8, 13, 40]))) for _ in range(a.rows)]
    lines = "".join(json.dumps({"text": t, "add_special": i % 5 == 0}) + "\n" for i, t in enumerate(texts))
    out = subprocess.run([a.program, "tokenize", "-m", a.folder, "--jsonl"], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    rows, different = out.decode().split("\n")[:-1], 0
    assert len(rows) == len(texts), f"{len(rows)} rows for {len(texts)} texts"
    for i, (text, row) in enumerate(zip(texts, rows)):
        expected, got = reference.encode(text, add_special_tokens=i % 5 == 0).ids, json.loads(row).get("ids")
        if got != expected:
            different += 1
            if different <= 5:
                print(f"{text!r}\n  reference {expected}\n  lfm       {got}")
    print(f"{len(texts)} texts, {sum(map(len, texts))} characters, {different} differ")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
