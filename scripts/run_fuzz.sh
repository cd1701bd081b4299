#!/usr/bin/env bash
# Runs one libFuzzer target over its committed corpus and then for some seconds more. New inputs stay in build/.
#   scripts/run_fuzz.sh build/asan/fuzz/fuzz_gguf 10
set -euo pipefail
target=$1 seconds=$2
name=$(basename "$target"); name=${name#fuzz_}
found=build/fuzz/found/$name
mkdir -p "$found" build/fuzz/artifacts
corpus=()
[[ -d fuzz/corpus/$name ]] && corpus=("fuzz/corpus/$name")
exec "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1 \
  -artifact_prefix="build/fuzz/artifacts/$name-" "$found" "${corpus[@]}"
