#!/usr/bin/env python3
"""Runs the commands of a page of docs/ and compares what they print: docs_test.py LFM ROOT PAGE... [--update]

A block marked ```console is a session: lines after "$ " are commands (one line each), the lines up to the next command what they print on
standard output. "..." alone on a line stands for any lines. Sessions of a page run in order in one empty folder that has the repository's
models/. --update writes what was printed into the page. Standard library only.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.M | re.S)


def steps(block):
    """[(command, expected output)] of a block."""
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append([line[2:].rstrip("\n"), ""])
        else:
            found[-1][1] += line
    return found


def matches(expected, printed):
    pattern = "".join(r"(?:.*\n)*" if line == "...\n" else re.escape(line) for line in expected.splitlines(keepends=True))
    return re.fullmatch(pattern, printed) is not None


def main():
    update = "--update" in sys.argv
    lfm, root, *pages = [os.path.abspath(a) for a in sys.argv[1:] if a != "--update"]
    failures = n = 0
    for page in map(pathlib.Path, pages):
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(f"{root}/models", f"{folder}/models")
            os.mkdir(f"{folder}/.bin")
            os.symlink(lfm, f"{folder}/.bin/lfm")
            environment = {**os.environ, "PATH": f"{folder}/.bin:{os.environ['PATH']}"}

            def run(match):
                nonlocal failures, n
                out = ""
                for command, expected in steps(match[0]):
                    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=300)
                    n += 1
                    if done.returncode != 0 or not (update or matches(expected, done.stdout)):
                        failures += 1
                        print(f"{page.name}: $ {command}\nexit code {done.returncode}\n{done.stderr}--- expected\n{expected}--- printed\n{done.stdout}")
                    out += f"$ {command}\n" + (expected if matches(expected, done.stdout) and expected else done.stdout)
                return out

            new = BLOCK.sub(run, text)
            if update:
                page.write_text(new, encoding="utf-8")
    print(f"{n} commands, {failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
