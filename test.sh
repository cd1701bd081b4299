#!/usr/bin/env bash
# All tests, from a fresh machine on. See docs/testing.md.
#   ./test.sh               everything below 25 minutes on 2 cores; what CI runs
#   ./test.sh unit          release build and its tests only
#   ./test.sh golden        every comparison with reference data (LFM_GOLDEN=DIR: over what DIR holds)
#   ./test.sh lint          include arrows and clang-tidy
#   ./test.sh asan | tsan   unit tests under AddressSanitizer + UBSan | ThreadSanitizer
#   ./test.sh fuzz SECONDS  every fuzz target for that long
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
}
golden() {
  step "build (release)" build release -DLFM_TESTS=ON
  tests "comparisons with reference data" build/release -L 'golden|model|text|engine|formats'
}
lint() {
  step "include arrows" python3 scripts/check_arrows.py
  [[ -f build/release/compile_commands.json ]] || cmake --preset release -DLFM_TESTS=ON >/dev/null
  step "clang-tidy" scripts/run_clang_tidy.sh build/release
}
sanitized() {
  step "build ($1)" build "$1" -DLFM_CLI=OFF
  tests "tests ($1)" "build/$1"
}
fuzz() {
  step "build (fuzz)" build fuzz
  local target
  for target in build/fuzz/fuzz/fuzz_*; do
    [[ -x $target && -f $target ]] || continue
    step "$(basename "$target")" scripts/run_fuzz.sh "$target" "$1"
  done
}

./scripts/install_packages.sh test || exit 1
case "${1:-all}" in
  all) unit && lint && sanitized asan && fuzz 10 ;;
  unit) unit ;;
  golden) golden ;;
  lint) lint ;;
  asan | tsan) sanitized "$1" ;;
  fuzz) fuzz "${2:-60}" ;;
  long) export LFM_LONG=1; unit ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

for failure in "${failures[@]:-}"; do [[ -n $failure ]] && echo "failed: $failure"; done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
