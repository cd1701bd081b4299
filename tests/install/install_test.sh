#!/bin/sh
# Installs the build into a fresh prefix and uses it as other programs do: pkg-config, CMake's find_package, ctypes.
# usage: install_test.sh CMAKE SOURCE_DIR BUILD_DIR MODEL
set -eu
cmake=$1 source=$2 build=$3 model=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
"$cmake" --install "$build" --prefix "$prefix" > "$work/install.log"
lib=$(dirname "$(find "$prefix" -name 'liblfm.so' | head -1)")
export LD_LIBRARY_PATH="$lib" PKG_CONFIG_PATH="$lib/pkgconfig"

# Only lfm_* is exported.
others=$(nm -D --defined-only "$lib/liblfm.so" | awk '{print $3}' | grep -v '^lfm_' || true)
[ -z "$others" ] || { echo "liblfm.so exports more than lfm_*: $others"; exit 1; }
declared=$(grep -o 'lfm_[a-z_]*(' "$prefix/include/lfm/lfm.h" | tr -d '(' | sort -u)
for name in $declared; do
  nm -D --defined-only "$lib/liblfm.so" | grep -qw "$name" || { echo "$name is declared, but not exported"; exit 1; }
done

# C, shared and static, by pkg-config; the header alone is strict C99.
cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$source/examples/c/chat.c" $(pkg-config --cflags --libs lfm) -o "$work/chat"
mkdir "$work/static" && cp "$lib/liblfm.a" "$work/static"
cc -std=c99 "$source/examples/c/chat.c" -I"$prefix/include" "$work/static/liblfm.a" \
  $(pkg-config --static --libs lfm | tr ' ' '\n' | grep -v -e '^-llfm$' -e '^-L' | tr '\n' ' ') -o "$work/chat_static"
for program in chat chat_static; do "$work/$program" "$model" "Hello" > "$work/$program.out"; done

# C++ by find_package.
"$cmake" -S "$source/examples/cpp" -B "$work/cpp" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release > "$work/cpp.log"
"$cmake" --build "$work/cpp" >> "$work/cpp.log" || { cat "$work/cpp.log"; exit 1; }
"$work/cpp/steps" "$model" "Hello" | grep -q "the same again"
"$work/cpp/structured" "$model" "Hello" > "$work/structured.out"
grep -q '"name": *"set_light"' "$work/structured.out" || { cat "$work/structured.out"; exit 1; }

python3 "$source/tests/install/ctypes_smoke.py" "$lib/liblfm.so" "$model"
"$prefix/bin/lfm" --version
echo "install: ok"
