#!/usr/bin/env python3
"""Writes dequantize.bin: random GGUF blocks of every type beside their values by gguf's numpy reference.

Records until the end of the file, little-endian: u32 type id, u32 bytes of blocks, u32 values, blocks, values (f32).
Needs the Python packages gguf and numpy. The seed is fixed, so the file only changes with gguf itself.
"""
import struct
import sys

import gguf
import numpy as np

# Offsets of f16 fields in a block, which must be finite.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "F16": [0],
          "BF16": [0]}


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
            if name == "F16":
                values = blocks.reshape(-1).view(np.float16).astype(np.float32)
            else:
                values = gguf.dequantize(blocks.reshape(1, -1), kind).reshape(-1).astype(np.float32)
            out.write(struct.pack("<III", int(kind), blocks.size, values.size))
            out.write(blocks.tobytes())
            out.write(values.tobytes())


main()
