#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy over every source file of src/ that the build compiles; fails on any finding.
# Most of its time goes to the standard headers, so it reads a layer's files as one (a unity build's list of them).
# The ISA files (family__isa.cc) are left out: they instantiate shared code under flags of other compilers.
#   scripts/run_clang_tidy.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake --preset lint >/dev/null && cmake --build --preset lint >/dev/null  # its one target is a generated header
python3 - build/lint/compile_commands.json <<'PY' |
import json, os, sys
files = [os.path.relpath(entry["file"]) for entry in json.load(open(sys.argv[1]))]
files = [name for name in files if "__" not in name and (name.startswith("src/") or "/Unity/" in name)]
for name in sorted(files, key=os.path.getsize, reverse=True):  # the longest first
    print(name, end="\0")
PY
  xargs -0 -n 1 -P "$(nproc)" clang-tidy-14 -p build/lint --quiet --warnings-as-errors='*'
