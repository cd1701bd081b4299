#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy over every source file of src/ that the build compiles; fails on any finding.
# The ISA files (family__isa.cc) are left out: they instantiate shared code under flags of other compilers.
#   scripts/run_clang_tidy.sh BUILD_DIR
set -euo pipefail
tidy=$(command -v clang-tidy-14 || command -v clang-tidy)
python3 - "$1/compile_commands.json" <<'PY' |
import json, os, sys
files = {os.path.relpath(entry["file"]) for entry in json.load(open(sys.argv[1]))}
for name in sorted(files):
    if name.startswith("src/") and "__" not in name:
        print(name, end="\0")
PY
  xargs -0 -n 4 -P "$(nproc)" "$tidy" -p "$1" --quiet --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option
