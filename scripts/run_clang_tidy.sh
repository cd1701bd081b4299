#!/usr/bin/env bash
# clang-tidy over every source file of src/, with the checks of .clang-tidy; fails on any finding.
#   scripts/run_clang_tidy.sh BUILD_DIR
set -euo pipefail
tidy=$(command -v clang-tidy-14 || command -v clang-tidy)
find src -name '*.cc' -print0 | sort -z | xargs -0 -n 4 -P "$(nproc)" "$tidy" -p "$1" --quiet --warnings-as-errors='*'
