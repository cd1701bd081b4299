#!/usr/bin/env python3
"""Writes src/kernels/weight_grids.inc: the points of the lattices that GGUF's IQ1, IQ2 and IQ3 types store indices into.

The numbers are part of the file format (ggml's tables iq2xxs_grid, iq2xs_grid, iq2s_grid, iq3xxs_grid, iq3s_grid and
iq1s_grid); they are taken from the Python package gguf. A point is one number: its coordinates' places among the levels of
its type, first coordinate lowest, 2 bits each of eight or 3 bits each of four. Needs gguf and numpy.
"""
import pathlib

import gguf.quants as quants
import numpy as np

GRIDS = [("kIq2XxsPoints", quants.IQ2_XXS, 2), ("kIq2XsPoints", quants.IQ2_XS, 2), ("kIq2SPoints", quants.IQ2_S, 2),
         ("kIq1Points", quants.IQ1_S, 2), ("kIq3XxsPoints", quants.IQ3_XXS, 3), ("kIq3SPoints", quants.IQ3_S, 3)]


def points(kind, bits):
    kind.init_grid()
    levels = list(kind.grid_map)
    for point in kind.grid.reshape(kind.grid_shape).astype(int):
        yield sum(levels.index(value) << bits * i for i, value in enumerate(point))


def main() -> None:
    # The eighth sign of a group makes the number of negative ones even: the program computes it instead of keeping a table.
    for i, signs in enumerate(np.frombuffer(quants.IQ2_XXS.ksigns, np.uint8)):
        assert signs == i | (bin(i).count("1") & 1) << 7
    lines = ["// Made by scripts/make_weight_grids.py, which says what the numbers are."]
    for name, kind, bits in GRIDS:
        numbers = [f"0x{p:04x}" for p in points(kind, bits)]
        lines.append(f"constexpr uint16_t {name}[{len(numbers)}] = {{")
        lines += ["    " + ", ".join(numbers[i:i + 15]) + "," for i in range(0, len(numbers), 15)]
        lines.append("};")
    path = pathlib.Path(__file__).resolve().parent.parent / "src/kernels/weight_grids.inc"
    path.write_text("\n".join(lines) + "\n")


main()
