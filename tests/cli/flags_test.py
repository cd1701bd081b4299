#!/usr/bin/env python3
"""Every flag that README.md and docs/ give to a command of lfm is in that command's --help: flags_test.py LFM ROOT. Standard library only.

Looked at are commands ("lfm NAME ... --flag" in a line of code) and flags alone in backquotes, which must be some command's.
"""
import pathlib
import re
import subprocess
import sys
import unittest

LFM, ROOT = sys.argv[1:3]
# Flags of other programs that the pages speak of.
OTHERS = {"cmake": {"--build", "--preset", "--install", "--prefix"}, "pkg-config": {"--cflags", "--libs", "--static"},
          "llama.cpp": {"--process-output"}}
# Of the repository's scripts: what stands in their sources counts.
SCRIPTS = ("evals", "scripts", "training", "tests/cli", "bench")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def flags_of(*command):
    done = subprocess.run([LFM, *command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stderr)
    return set(FLAG.findall(done.stdout))


class Flags(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        text = subprocess.run([LFM, "--help"], capture_output=True, text=True, check=True).stdout
        names = re.findall(r"^  ([a-z]+)  +\S", text, re.M)
        cls.of = {name: flags_of(name) for name in names if name != "lfm"}
        cls.pages = [pathlib.Path(ROOT, "README.md"), *sorted(pathlib.Path(ROOT, "docs").rglob("*.md"))]

    def test_commands(self):
        n = 0
        for page in self.pages:
            text = page.read_text(encoding="utf-8").replace("\\\n", " ")
            for found in re.finditer(r"(?:^|[\s`/])lfm ([a-z]+)\b([^`\n|#;&]*)", text):
                name, rest = found.groups()
                if name not in self.of:
                    continue
                for flag in FLAG.findall(rest):
                    n += 1
                    self.assertTrue(flag in self.of[name], f"{page}: {flag} in lfm {name}{rest}")
        self.assertGreater(n, 100)

    def test_pages_that_sources_name(self):
        for folder in ("src", "include", "fuzz", "scripts", "cmake", "tests"):
            for path in pathlib.Path(ROOT, folder).rglob("*"):
                if path.suffix not in (".h", ".cc", ".inc", ".inl", ".py", ".cmake", ".txt") or "data" in path.parts:
                    continue
                for page in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8")):
                    self.assertTrue(pathlib.Path(ROOT, page).exists(), f"{path} names {page}")

    def test_flags_alone(self):
        known = set().union(*self.of.values(), *OTHERS.values(), {"--version"})
        for folder in SCRIPTS:
            for path in pathlib.Path(ROOT, folder).rglob("*"):
                if path.suffix in (".py", ".sh"):
                    known |= set(FLAG.findall(path.read_text(encoding="utf-8")))
        for page in self.pages:
            for code in re.findall(r"`(--[^`\n]*)`", page.read_text(encoding="utf-8")):
                for flag in FLAG.findall(code):
                    self.assertTrue(flag in known, f"{page}: {flag}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
