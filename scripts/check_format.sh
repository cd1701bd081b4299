#!/usr/bin/env bash
# Checks that the C++ files look as .clang-format says; `scripts/check_format.sh --fix` makes them so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
how=(--dry-run --Werror)
[[ "${1:-}" == --fix ]] && how=(-i)
find src include tests fuzz examples bench \( -name '*.cc' -o -name '*.h' -o -name '*.inl' -o -name '*.cpp' \) -print0 |
  xargs -0 clang-format-14 "${how[@]}"
