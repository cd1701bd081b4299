#!/usr/bin/env bash
# Times lfm and llama.cpp in turn (A B A B ...) on the same file and prints the ratio of their speeds, pair by pair.
#   bench/against_llama_cpp.sh LLAMA_BENCH MODEL [-p 512] [-n 64] [-d 0] [-t THREADS] [-r ROUNDS]
# LLAMA_BENCH is llama.cpp's llama-bench, built natively (-DGGML_NATIVE=ON, Release). LFM names another lfm program.
# -p and -n take comma lists; 0 leaves prefill or decode out. On a noisy machine use more rounds and quote the median.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
llama_bench=$1 model=$2
shift 2
prompt=512 gen=64 depth=0 threads=$(nproc) rounds=3
while getopts "p:n:d:t:r:" flag; do
  case $flag in
    p) prompt=$OPTARG ;; n) gen=$OPTARG ;; d) depth=$OPTARG ;; t) threads=$OPTARG ;; r) rounds=$OPTARG ;;
    *) exit 2 ;;
  esac
done
lfm=${LFM:-$(dirname "$0")/../build/release/lfm}
[[ -x $llama_bench ]] || { echo "$llama_bench is not a program; name llama.cpp's llama-bench" >&2; exit 2; }
[[ -x $lfm ]] || { echo "$lfm is missing; build it with ./run.sh or name it by LFM=" >&2; exit 2; }
[[ -f $model ]] || { echo "$model is not a file" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
common=(-m "$model" -t "$threads" -p "$prompt" -n "$gen" -d "$depth" -r 1)
for ((i = 1; i <= rounds; i++)); do
  [[ -t 2 ]] && printf '\r\033[Kround %d of %d: llama.cpp' "$i" "$rounds" >&2
  "$llama_bench" "${common[@]}" -o json >"$work/llama.$i" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
  [[ -t 2 ]] && printf '\r\033[Kround %d of %d: lfm      ' "$i" "$rounds" >&2
  "$lfm" bench "${common[@]}" --json >"$work/lfm.$i" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
done
[[ -t 2 ]] && printf '\r\033[K' >&2

python3 - "$work" "$rounds" <<'PY'
import json, statistics, sys

work, rounds = sys.argv[1], int(sys.argv[2])


def speeds(name):
    """Test -> tokens/s of each round, and the rows of the first."""
    out, first = {}, None
    for i in range(1, rounds + 1):
        with open(f"{work}/{name}.{i}", encoding="utf-8") as f:
            rows = json.load(f)
        first = first or rows
        for row in rows:
            out.setdefault((row["n_prompt"], row["n_gen"], row.get("n_depth", 0)), []).append(row["avg_ts"])
    return out, first


ours, rows = speeds("lfm")
theirs, their_rows = speeds("llama")
print(f"isa {rows[0]['isa']}, {rounds} rounds; llama.cpp {their_rows[0].get('build_commit', '?')} on {their_rows[0].get('cpu_info', '?')}")
print(f"{'test':>14} {'lfm':>9} {'llama.cpp':>9} {'ratio: min':>11} {'median':>7} {'max':>6} {'% of roofline':>14}")
roof = {(r["n_prompt"], r["n_gen"], r["n_depth"]): r["roofline_percent"] for r in rows}
for key in ours:
    if key not in theirs:
        continue
    ratio = sorted(a / b for a, b in zip(ours[key], theirs[key]))
    name = (f"pp{key[0]}" if key[0] else f"tg{key[1]}") + (f"@d{key[2]}" if key[2] else "")
    print(f"{name:>14} {statistics.median(ours[key]):9.2f} {statistics.median(theirs[key]):9.2f} {ratio[0]:11.2f} "
          f"{statistics.median(ratio):7.2f} {ratio[-1]:6.2f} {roof[key]:14.1f}")
PY
