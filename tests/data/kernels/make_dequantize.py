#!/usr/bin/env python3
"""Writes dequantize.bin: random GGUF blocks of every type beside their values by gguf's numpy reference.

Records until the end of the file, little-endian: u32 type id, u32 bytes of blocks, u32 values, blocks, values (f32).
Of the lattice and ternary types it also prints a checksum of the values of 4,096 blocks that the test makes itself, enough to
meet every point of every lattice. Needs the Python packages gguf and numpy. The seed is fixed, so the file only changes with gguf.
"""
import struct
import sys

import gguf
import numpy as np

# Offsets of f16 fields in a block, which must be finite.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "F16": [0],
          "BF16": [0], "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0],
          "IQ3_S": [0], "TQ1_0": [52], "TQ2_0": [64]}
EXTREMES = [0x7BFF, 0x8001]  # the largest f16 and the smallest


def set_scale(kind: str, blocks: np.ndarray, bits: np.ndarray) -> None:
    """Sets the f16 scale of blocks of the types from IQ1_S on."""
    if kind == "IQ1_M":  # a nibble in each of four words
        for i in range(4):
            blocks[:, 49 + 2 * i] = blocks[:, 49 + 2 * i] & 0x0F | (bits >> 4 * i & 15) << 4
    else:
        blocks[:, SCALES[kind][0]] = bits & 0xFF
        blocks[:, SCALES[kind][0] + 1] = bits >> 8


def mix(n: np.ndarray) -> np.ndarray:
    """The numbers of SplitMix64 at the counters n."""
    z = n * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return z ^ z >> np.uint64(31)


def checksum(name: str) -> int:
    kind = gguf.GGMLQuantizationType[name]
    block_bytes = gguf.GGML_QUANT_SIZES[kind][1]
    n_blocks = 4096
    blocks = (mix(np.arange(1, n_blocks * block_bytes + 1, dtype=np.uint64)) >> np.uint64(56)).astype(np.uint8)
    blocks = blocks.reshape(n_blocks, block_bytes)
    set_scale(name, blocks, (mix(np.arange(1, n_blocks + 1, dtype=np.uint64)) >> np.uint64(48)).astype(np.uint32) & 0xBFFF)
    bits = gguf.dequantize(blocks.reshape(1, -1), kind).reshape(-1).astype(np.float32).view(np.uint32).astype(np.uint64)
    return int(np.sum(bits * mix(np.arange(1, bits.size + 1, dtype=np.uint64)), dtype=np.uint64))


def main() -> None:
    rng = np.random.default_rng(20240607)
    with open(sys.argv[1], "wb") as out:
        for name, offsets in SCALES.items():
            kind = gguf.GGMLQuantizationType[name]
            block_size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
            n_blocks = 768 // block_size
            blocks = rng.integers(0, 256, (n_blocks, block_bytes), dtype=np.uint8)
            for offset in offsets:
                halves = blocks[:, offset:offset + 2].copy().view(np.uint16)
                if name == "BF16":
                    halves[(halves & 0x7F80) == 0x7F80] &= 0xBFFF
                else:
                    halves[(halves & 0x7C00) == 0x7C00] &= 0xBFFF
                blocks[:, offset:offset + 2] = halves.view(np.uint8)
            if name.startswith(("IQ1", "IQ2", "IQ3", "TQ")):
                bits = rng.integers(0, 0x10000, n_blocks, dtype=np.uint32) & 0xBFFF
                bits[:len(EXTREMES)] = EXTREMES
                blocks[0] = 0xFF
                set_scale(name, blocks, bits)
                print(f"{name} 0x{checksum(name):016x}")
            if name == "F16":
                values = blocks.reshape(-1).view(np.float16).astype(np.float32)
            else:
                values = gguf.dequantize(blocks.reshape(1, -1), kind).reshape(-1).astype(np.float32)
            out.write(struct.pack("<III", int(kind), blocks.size, values.size))
            out.write(blocks.tobytes())
            out.write(values.tobytes())


main()
