#!/usr/bin/env bash
# All tests, from a fresh machine on. See docs/testing.md.
#   ./test.sh               everything below but tsan, evals, long and lint's slowest step, fuzzing for 5 s a target from seed 1; what CI runs
#   ./test.sh unit          release build and its tests only
#   ./test.sh golden        every comparison with reference data (LFM_GOLDEN=DIR: over what DIR holds)
#   ./test.sh lint          format, include arrows, every file by itself, clang-tidy; the page's types and rules
#   ./test.sh page          the chat page in chromium, and that web/dist is what web/src gives (needs node 20 or later)
#   ./test.sh asan | tsan   unit tests under AddressSanitizer + UBSan | ThreadSanitizer, and then five minutes of 64 clients
#   ./test.sh aarch64       kernel tests for 64-bit Arm, cross-compiled, under qemu-user (on x86-64)
#   ./test.sh fuzz SECONDS [SEED]  every fuzz target for that long
#   ./test.sh evals         evals/ with its packages (a 1 GB install, once): all benchmarks on fixtures, recorded verdicts, the demo model
#   ./test.sh long          200 seeded download faults and the long forms of the other tests
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

passed=0 failed=0
failures=()

# Runs a named step, showing its output only when it fails; counts it.
step() {
  local name=$1 log=build/logs/${1// /_}.log begin=$SECONDS
  shift
  mkdir -p build/logs
  printf '%-44s' "$name"
  if "$@" >"$log" 2>&1; then
    printf 'ok      %4d s\n' $((SECONDS - begin))
    passed=$((passed + 1))
  else
    printf 'FAILED  %4d s\n' $((SECONDS - begin))
    tail -n 60 "$log"
    failed=$((failed + 1))
    failures+=("$name ($log)")
  fi
}

# Runs ctest in a build folder and adds its own count to ours.
tests() {
  local name=$1 folder=$2 log=build/logs/${1// /_}.log begin=$SECONDS
  shift 2
  mkdir -p build/logs
  printf '%-44s' "$name"
  ctest --test-dir "$folder" --output-on-failure -j "$(nproc)" "$@" >"$log" 2>&1
  local status=$? total bad
  total=$(sed -nE 's/.* tests failed out of ([0-9]+)$/\1/p' "$log" | tail -n 1)
  bad=$(sed -nE 's/.*, ([0-9]+) tests failed out of .*/\1/p' "$log" | tail -n 1)
  if [[ -z "$total" || "$total" -eq 0 ]]; then
    total=1 bad=1
  fi
  passed=$((passed + total - bad)) failed=$((failed + bad))
  if [[ $status -eq 0 && $bad -eq 0 ]]; then
    printf 'ok      %4d s  %d tests\n' $((SECONDS - begin)) "$total"
  else
    printf 'FAILED  %4d s  %d of %d tests\n' $((SECONDS - begin)) "$bad" "$total"
    grep -E '^\s+[0-9]+ - |FAILED|Failure|error' "$log" | tail -n 60
    failures+=("$name ($log)")
  fi
}

build() { cmake --preset "$1" "${@:2}" && cmake --build --preset "$1"; }

unit() {
  step "build (release)" build release -DLFM_TESTS=ON
  tests "tests (release)" build/release
  step "evals: answers, report, client, sandbox" python3 evals/tests/light_test.py
}
evals() {
  step "build (release)" build release -DLFM_TESTS=ON
  step "evals: packages" evals/run.sh install
  step "evals: answers, report, client, sandbox" python3 evals/tests/light_test.py
  step "evals: benchmarks and recorded verdicts" build/evals/venv/bin/python evals/tests/full_test.py
}
golden() {
  step "build (release)" build release -DLFM_TESTS=ON
  tests "comparisons with reference data" build/release -L 'golden|model|text|engine|formats'
}
lint() {
  lint_quick
  step "every file by itself" scripts/check_alone.sh
}
# Without what takes a second a file and fails only where an include is missing that other files of a layer have.
lint_quick() {
  step "format" scripts/check_format.sh
  step "include arrows" python3 scripts/check_arrows.py
  step "clang-tidy" scripts/run_clang_tidy.sh
  if page_tools; then step "page: types and rules" npm --prefix web run --silent lint; fi
}
# The page's toolchain, at the versions of web/package-lock.json. False where node is missing or too old: building lfm needs none.
page_tools() {
  if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null; then
    echo "page: left out, for node 20 or later is not installed"
    return 1
  fi
  local mark=web/node_modules/.installed
  [[ "$(cat "$mark" 2>/dev/null)" == "$(sha256sum <web/package-lock.json)" ]] && return 0
  step "page: npm ci" npm --prefix web ci --ignore-scripts --no-audit --no-fund && sha256sum <web/package-lock.json >"$mark"
}
page() {
  page_tools || return 0
  step "page: built files are of these sources" npm --prefix web run --silent check
  LFM_SCREENSHOTS="$PWD/build/page" step "page: in a browser" npm --prefix web run --silent test
}
sanitized() {
  step "build ($1)" build "$1"
  tests "tests ($1)" "build/$1" "${@:2}"
}
# Fuzz targets use one core each: as many at a time as there are cores; then one step each reports.
fuzz() {
  step "build (asan)" build asan
  local targets=() target
  for target in build/asan/fuzz/fuzz_*; do
    [[ -x $target && -f $target ]] && targets+=("$(basename "$target")")
  done
  mkdir -p build/logs && rm -f build/logs/running_*
  printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c \
    'scripts/run_fuzz.sh build/asan/fuzz/{} "$@" >build/logs/running_{} 2>&1; echo "exit $?" >>build/logs/running_{}' fuzz "$@"
  for target in "${targets[@]}"; do
    step "$target" ended_well "build/logs/running_$target"
  done
  [[ ${#targets[@]} -gt 0 ]] || step "fuzz targets" false
}
# The log of a command that ran before, with "exit STATUS" as its last line.
ended_well() { cat "$1" && [[ $(tail -n 1 "$1") == "exit 0" ]]; }
aarch64() {
  if [[ $(uname -m) != x86_64 ]]; then
    echo "aarch64: the cross compiler is for x86-64 hosts; here ./test.sh unit runs the same tests natively"
    return
  fi
  step "build (aarch64)" build aarch64
  tests "kernel tests (aarch64, qemu)" build/aarch64 -L kernels
}

./scripts/install_packages.sh test || exit 1
case "${1:-all}" in
  all) unit; lint_quick; page; sanitized asan; fuzz 5 1; aarch64 ;;
  unit) unit ;;
  golden) golden ;;
  lint) lint ;;
  page) page ;;
  asan) sanitized asan ;;
  tsan)
    sanitized tsan -LE 'kernels|cli' # the former start no threads, the latter are other processes
    step "64 clients, 5 minutes (tsan)" scripts/soak_server.py build/tsan/lfm models/lfm-demo.gguf --seconds 300 --sanitized
    ;;
  aarch64) aarch64 ;;
  fuzz) fuzz "${2:-60}" "${@:3}" ;;
  evals) evals ;;
  long) export LFM_LONG=1; unit ;;
  *) sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

for failure in "${failures[@]:-}"; do [[ -n $failure ]] && echo "failed: $failure"; done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
