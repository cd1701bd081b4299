#!/usr/bin/env bash
# Checks that every source file of src/ compiles by itself, with the headers that it includes and no other's: builds
# that compile several files at once (unity) would not notice. With clang, so that the program passes both compilers'
# warnings. Generates no code; a second a file.
#   scripts/check_alone.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake --preset clang >/dev/null && cmake --build --preset clang --target lfm_commit >/dev/null  # a generated header
python3 - build/clang <<'PY'
import concurrent.futures, json, os, shlex, subprocess, sys

def check(entry):
    command = [word for word in shlex.split(entry["command"]) if not word.endswith("ccache")]
    command[command.index("-o"):command.index("-o") + 2] = ["-fsyntax-only"]
    done = subprocess.run(command, cwd=entry["directory"], stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr

with open(sys.argv[1] + "/compile_commands.json") as file:
    entries = [entry for entry in json.load(file) if "/src/" in entry["file"]]
bad = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for status, messages in pool.map(check, entries):
        bad += status != 0
        sys.stdout.write(messages)
print(f"alone: {len(entries)} files, {bad} that do not compile")
sys.exit(bad > 0)
PY
