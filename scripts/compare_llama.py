#!/usr/bin/env python3
"""Compares lfm's convert, quantize and perplexity with llama.cpp's tools, on models given as Hugging Face folders or GGUF.

  scripts/compare_llama.py --llama DIR_WITH_BINARIES --lfm build/release/lfm --text FILE MODEL...

Optional: needs llama-completion, llama-perplexity and llama-quantize. Prints one table a model; exits with 1 when greedy tokens
differ, when perplexities on BF16 differ by more than 0.5 %, or when one of our files is larger than llama.cpp's.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

TYPES = ["q4_0", "q4_k_s", "q4_k_m", "q5_k_m", "q6_k", "q8_0", "iq4_nl", "iq4_xs", "mxfp4"]


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace")


def perplexity_llama(llama, model, text, ctx):
    result = run(f"{llama}/llama-perplexity", "-m", model, "-f", text, "-c", ctx, "-t", os.cpu_count())
    found = re.search(r"Final estimate: PPL = ([0-9.]+)", result.stdout + result.stderr)
    return float(found[1]) if found else float("nan")


def perplexity_lfm(lfm, model, text, ctx, *more):
    result = run(lfm, "perplexity", "-m", model, "-f", text, "-c", ctx, "--json", *more)
    if result.returncode != 0:
        sys.exit(result.stderr)
    return json.loads(result.stdout)


def greedy_pair(args, gguf):
    prompt = "The quick brown fox"
    theirs = run(f"{args.llama}/llama-completion", "-m", gguf, "-p", prompt, "-n", 24, "--temp", 0, "-no-cnv", "--no-warmup")
    ours = run(args.lfm, "run", "-m", gguf, "--raw", "-p", prompt, "-n", 24, "--temp", 0, "--repeat-penalty", 1, "--compute", "f32")
    clean = lambda text: text.replace(prompt, "", 1).replace("[end of text]", "").strip()
    return clean(theirs.stdout), clean(ours.stdout)


def compare(args, model, folder):
    failed = False
    bf16 = os.path.join(folder, "bf16.gguf")
    converted = run(args.lfm, "convert", model, bf16)
    if converted.returncode != 0:
        sys.exit(converted.stderr)
    theirs, ours = greedy_pair(args, bf16)
    same = theirs[: len(ours)] == ours or ours[: len(theirs)] == theirs
    print(f"\n## {os.path.basename(model.rstrip('/'))}\n\ngreedy tokens: {'the same' if same else 'DIFFERENT'}")
    if not same:
        print(f"  llama.cpp {theirs!r}\n  lfm       {ours!r}")
    failed |= not same
    base = os.path.join(folder, "base")
    report = perplexity_lfm(args.lfm, bf16, args.text, args.ctx, "--compute", "f32", "--save-base", base)
    own, other = report["perplexity"]["value"], perplexity_llama(args.llama, bf16, args.text, args.ctx)
    print(f"perplexity BF16: lfm {own:.4f}, llama.cpp {other:.4f} ({100 * (own / other - 1):+.3f} %)\n")
    failed |= not abs(own / other - 1) < 0.005
    print("| type | bytes lfm / llama.cpp | KL lfm | KL llama.cpp | ratio | seconds lfm / llama.cpp |\n| --- | --- | --- | --- | --- | --- |")
    for kind in args.types:
        files, seconds = [os.path.join(folder, name) for name in ("ours.gguf", "theirs.gguf")], []
        begin = time.time()
        first = run(args.lfm, "quantize", bf16, files[0], "--type", kind)
        seconds.append(time.time() - begin)
        begin = time.time()
        name = "MXFP4_MOE" if kind == "mxfp4" else kind.upper()
        second = run(f"{args.llama}/llama-quantize", bf16, files[1], name)
        seconds.append(time.time() - begin)
        if first.returncode != 0 or second.returncode != 0:
            print(f"| {kind} | failed: {first.stderr.strip() or second.stderr.strip()[-200:]} |")
            failed = True
            continue
        kls = [perplexity_lfm(args.lfm, path, args.text, args.ctx, "--compute", "f32", "--base", base)["kl"] for path in files]
        sizes = [os.path.getsize(path) for path in files]
        text = [f"{kl['value']:.5f} ± {kl['interval95']:.5f}" for kl in kls]
        print(f"| {kind} | {sizes[0]} / {sizes[1]} | {text[0]} | {text[1]} | {kls[0]['value'] / kls[1]['value']:.3f} | "
              f"{seconds[0]:.1f} / {seconds[1]:.1f} |", flush=True)
        failed |= sizes[0] > sizes[1] + 4096
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--llama", required=True)
    parser.add_argument("--lfm", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--ctx", type=int, default=256)
    parser.add_argument("--types", nargs="*", default=TYPES)
    args = parser.parse_args()
    failed = False
    for model in args.models:
        with tempfile.TemporaryDirectory() as folder:
            failed |= compare(args, model, folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
