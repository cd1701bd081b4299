#!/usr/bin/env bash
# Runs one libFuzzer target over its committed corpus and then for some seconds more. New inputs stay in build/.
# A seed makes the run the same each time, as far as it gets.
#   scripts/run_fuzz.sh build/asan/fuzz/fuzz_gguf 10 [SEED]
set -euo pipefail
target=$1 seconds=${2:?seconds are missing} seed=${3:-0}
name=$(basename "$target"); name=${name#fuzz_}
found=build/fuzz/found/$name
mkdir -p "$found" build/fuzz/artifacts
corpus=()
[[ -d fuzz/corpus/$name ]] && corpus=("fuzz/corpus/$name")
exec "$target" -max_total_time="$seconds" -seed="$seed" -timeout=20 -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1 \
  -artifact_prefix="build/fuzz/artifacts/$name-" "$found" "${corpus[@]}"
