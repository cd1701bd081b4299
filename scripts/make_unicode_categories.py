#!/usr/bin/env python3
"""Writes src/grammar/unicode_categories.inc: the general category of every code point, as runs {first, category}.

Uses the interpreter's Unicode version, which stands in the file's first line.
"""
import pathlib
import unicodedata

runs, previous = [], None
for code in range(0x110000):
    category = unicodedata.category(chr(code))
    if category != previous:
        runs.append(f"{{0x{code:X},k{category}}}")
        previous = category
lines = [f"// Unicode {unicodedata.unidata_version}; written by scripts/make_unicode_categories.py."]
line = ""
for run in runs:
    if len(line) + len(run) > 116:
        lines.append(line)
        line = ""
    line += run + ","
lines.append(line)
path = pathlib.Path(__file__).resolve().parent.parent / "src/grammar/unicode_categories.inc"
path.write_text("\n".join(lines) + "\n", encoding="utf-8")
