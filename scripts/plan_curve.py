#!/usr/bin/env python3
"""Measures plans (lfm quantize --target-size) beside the mixes of the same size: KL against bytes.

  scripts/plan_curve.py --lfm build/release/lfm (--text TEXT | --chat FILE.jsonl) [--ctx 256] [--imatrix] MODEL... > table.md

MODEL is a Hugging Face folder or a GGUF file in BF16 or F32. Everything runs with --compute f32, so that only the weights' rounding
counts. A plan's file may have at most the mix's bytes. --imatrix gives both the same importance matrix, made from the text.
Exits with 1 where a plan loses more than the mix, beyond both intervals.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

MIXES = ["q6_k", "q5_k_m", "q4_k_m", "q4_k_s", "iq4_xs", "q4_0"]


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {result.stderr.strip()}")
    return result.stdout


def curve(args, model, folder):
    source, base, out = (os.path.join(folder, name) for name in ("source.gguf", "base", "out.gguf"))
    text = ["--chat", args.chat] if args.chat else ["-f", args.text]
    text += ["-c", args.ctx, "-t", args.threads]
    run(args.lfm, "convert", model, source)
    run(args.lfm, "perplexity", "-m", source, *text, "--json", "--compute", "f32", "--save-base", base)
    importance = []
    if args.imatrix:
        importance = ["--imatrix", os.path.join(folder, "imatrix.gguf")]
        run(args.lfm, "imatrix", "-m", source, "-f", args.text, "-c", args.ctx, "-t", args.threads, "-o", importance[1])

    def loss(*options):
        run(args.lfm, "quantize", source, out, "-t", args.threads, *importance, *options)
        report = json.loads(run(args.lfm, "perplexity", "-m", out, *text, "--json", "--compute", "f32", "--base", base))
        return os.path.getsize(out), report["kl"]["value"], report["kl"]["interval95"]

    print(f"\n### {os.path.basename(model.rstrip('/'))}\n")
    print("| size of | bytes, mix | KL, mix | bytes, plan | KL, plan | plan / mix |\n| --- | --- | --- | --- | --- | --- |")
    worse = False
    for mix in args.mixes:
        size, kl, interval = loss("--type", mix)
        plan_size, plan_kl, plan_interval = loss("--target-size", size)
        worse |= plan_kl - plan_interval > kl + interval
        print(f"| {mix.upper()} | {size:,} | {kl:.4f} ± {interval:.4f} | {plan_size:,} | {plan_kl:.4f} ± {plan_interval:.4f} | {plan_kl / kl:.2f} |", flush=True)
    return worse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--lfm", required=True)
    parser.add_argument("--text")
    parser.add_argument("--chat")
    parser.add_argument("--ctx", type=int, default=256)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--imatrix", action="store_true")
    parser.add_argument("--mixes", nargs="*", default=MIXES)
    args = parser.parse_args()
    if bool(args.text) == bool(args.chat):
        parser.error("one of --text and --chat is needed")
    worse = False
    for model in args.models:
        with tempfile.TemporaryDirectory() as folder:
            worse |= curve(args, model, folder)
    sys.exit(worse)


if __name__ == "__main__":
    main()
