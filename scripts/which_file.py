#!/usr/bin/env python3
"""Makes the measured table of docs/which-file.md: sizes, bytes a token, KL and same best token for each file type.

  scripts/which_file.py --lfm build/release/lfm --text TEXT [--chat FILE.jsonl] [--ctx 512] [--plan] MODEL... > table.md

MODEL is a Hugging Face folder or a GGUF file in BF16 or F32. The base of each comparison is the model itself with --compute f32;
the quantised files run as users run them (activations in int8). --plan adds files of lfm's own plans at the sizes of the mixes.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

TYPES = ["q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_k_s", "iq4_nl", "iq4_xs", "q4_0", "mxfp4"]
PLANNED = ["q5_k_m", "q4_k_m", "iq4_xs"]  # at the size of these


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {result.stderr.strip()}")
    return result.stdout


def table(args, model, folder):
    text = ["--chat", args.chat] if args.chat else ["-f", args.text, "-c", args.ctx]
    text += ["-t", args.threads] if args.threads else []
    base, bf16 = os.path.join(folder, "base"), os.path.join(folder, "bf16.gguf")
    run(args.lfm, "convert", model, bf16)
    first = json.loads(run(args.lfm, "perplexity", "-m", bf16, *text, "--json", "--compute", "f32", "--save-base", base))
    print(f"\n### {os.path.basename(model.rstrip('/'))}\n\n{first['tokens']} tokens in {first['passages']} passages; perplexity of the base "
          f"{first['perplexity']['value']:.3f} ± {first['perplexity']['interval95']:.3f}.\n")
    print("| file | bytes | weights read a token | perplexity | KL mean | KL 99 % | same best token |\n| --- | --- | --- | --- | --- | --- | --- |")

    def row(label, path):
        info = json.loads(run(args.lfm, "info", path, "--json"))
        report = json.loads(run(args.lfm, "perplexity", "-m", path, *text, "--json", "--base", base))
        kl, top = report["kl"], report["same_top1"]
        print(f"| {label} | {os.path.getsize(path):,} | {info['weight_bytes_per_token']:,} | {report['perplexity']['value']:.3f} | "
              f"{kl['value']:.5f} ± {kl['interval95']:.5f} | {kl['p99']:.4f} | {100 * top['value']:.1f} ± {100 * top['interval95']:.1f} % |", flush=True)

    row("BF16", bf16)
    out = os.path.join(folder, "out.gguf")
    for kind in args.types:
        run(args.lfm, "quantize", bf16, out, "--type", kind)
        row(kind.upper(), out)
        if args.plan and kind in PLANNED:
            run(args.lfm, "quantize", bf16, os.path.join(folder, "plan.gguf"), "--target-size", os.path.getsize(out))
            row(f"plan, size of {kind.upper()}", os.path.join(folder, "plan.gguf"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--lfm", required=True)
    parser.add_argument("--text")
    parser.add_argument("--chat")
    parser.add_argument("--ctx", type=int, default=512)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--types", nargs="*", default=TYPES)
    args = parser.parse_args()
    for model in args.models:
        with tempfile.TemporaryDirectory() as folder:
            table(args, model, folder)


if __name__ == "__main__":
    main()
