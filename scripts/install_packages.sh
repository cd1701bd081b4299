#!/usr/bin/env bash
# Installs the Debian packages named after the mode (build or test) that are missing. Needs root or sudo only then.
set -euo pipefail

build=(g++ cmake ninja-build pkg-config rapidjson-dev libutf8proc-dev libxxhash-dev libcli11-dev libedit-dev
       libcurl4-openssl-dev libssl-dev libboost-dev libsqlite3-dev zlib1g-dev python3)
test=(libgtest-dev googletest clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev
      bubblewrap)  # for programs that a model wrote (evals/)
# The chat page's tests drive a browser; they are for machines that have node.
if command -v node >/dev/null; then test+=(chromium fonts-dejavu-core); fi
# The kernel tests for 64-bit Arm; the cross compiler exists on x86-64 only.
if [[ $(uname -m) == x86_64 ]]; then test+=(g++-aarch64-linux-gnu qemu-user-static); fi

wanted=("${build[@]}")
[[ "${1:-build}" == test ]] && wanted+=("${test[@]}")

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

sudo=()
if [[ $EUID -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "These packages are missing and neither root nor sudo is at hand: ${missing[*]}" >&2
    exit 1
  fi
  sudo=(sudo)
fi
echo "Installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
