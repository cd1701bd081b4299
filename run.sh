#!/usr/bin/env bash
# Builds lfm if need be and does its main job with the demo model.
#   ./run.sh            on a terminal: a chat; else one routed ticket, one tool call, one extracted JSON, one classified file
#   ./run.sh ARGS...    the program itself: ./run.sh info models/lfm-demo.gguf
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

./scripts/install_packages.sh build
log=build/build.log
mkdir -p build
if ! { cmake --preset release -DLFM_TESTS="${LFM_TESTS:-OFF}" && cmake --build --preset release --target lfm_program; } \
    >"$log" 2>&1; then
  tail -30 "$log" >&2
  echo "The build failed; the whole log is $log" >&2
  exit 1
fi

lfm=build/release/lfm
if [[ $# -gt 0 ]]; then
  exec "$lfm" "$@"
elif [[ -t 0 && -t 1 ]]; then
  exec "$lfm" run -m models/lfm-demo.gguf
else
  exec scripts/demo.sh "$lfm" models/lfm-demo.gguf
fi
