#!/usr/bin/env python3
"""Fails when the object of an ISA file (kernels/family__isa.cc.o) defines a weak symbol.

The linker keeps one copy of a weak symbol (an inline function or template instance). If that copy came from a file
compiled for AVX-512, a host without it would crash in code that has nothing to do with kernels.

usage: check_isa_symbols.py BUILD_DIR [NM]
"""
import pathlib
import subprocess
import sys


def main() -> int:
    nm = sys.argv[2] if len(sys.argv) > 2 else "nm"
    objects = sorted(pathlib.Path(sys.argv[1]).rglob("*__*.cc.o"))
    if not objects:
        print(f"check_isa_symbols: no objects of ISA files below {sys.argv[1]}; build lfm_kernels first")
        return 1
    bad = 0
    for path in objects:
        listing = subprocess.run([nm, "-C", "--defined-only", str(path)], check=True, capture_output=True, text=True)
        for line in listing.stdout.splitlines():
            kind, _, name = line[17:].partition(" ")
            # Data, no code: pointers of exception tables, and the types that UBSan compares.
            if name.startswith(("DW.ref.", "typeinfo for ", "typeinfo name for ")):
                continue
            if kind in "WVu" or (kind == "T" and "::Fill" not in name):
                print(f"{path.name}: {kind} {name}")
                bad += 1
    print(f"check_isa_symbols: {len(objects)} objects, {bad} symbols that could be merged")
    return 1 if bad else 0


sys.exit(main())
