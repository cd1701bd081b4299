#!/usr/bin/env python3
"""Opens model files that lfm wrote with other people's readers. Optional; needs `pip install gguf safetensors`.

    scripts/cross_check_formats.py FILE.gguf|FILE.safetensors ...

GGUF: every tensor is found, the first rows of each decode to finite values; prints counts and the mean deviation by
type. safetensors: every tensor is found with its shape. Exit code 1 when something is wrong.
"""
import sys
from collections import defaultdict

import numpy as np


def check_gguf(path):
    from gguf import GGUFReader
    from gguf.quants import dequantize

    reader = GGUFReader(path)
    name = reader.fields["general.name"].contents() if "general.name" in reader.fields else "?"
    tokens = reader.fields.get("tokenizer.ggml.tokens")
    print(f"{path}: {name}, {len(reader.tensors)} tensors, {len(tokens.data) if tokens else 0} tokens")
    deviations, good = defaultdict(list), True
    for tensor in reader.tensors:
        data = tensor.data.reshape(-1, tensor.data.shape[-1])[:64]
        values = dequantize(data, tensor.tensor_type)
        if not np.isfinite(values).all():
            print(f"  {tensor.name}: not finite")
            good = False
        if values.size > 4096:
            deviations[tensor.tensor_type.name].append(float(values.std()) * float(tensor.shape[0]) ** 0.5)
    for kind, found in sorted(deviations.items()):
        print(f"  {kind}: {len(found)} matrices, deviation * sqrt(inputs) {min(found):.3f} to {max(found):.3f}")
    return good


def check_safetensors(path):
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        names = list(file.keys())
        shapes = [file.get_slice(name).get_shape() for name in names]
    print(f"{path}: {len(names)} tensors, {sum(int(np.prod(s)) for s in shapes)} weights")
    return bool(names)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    results = [check_gguf(p) if p.endswith(".gguf") else check_safetensors(p) for p in sys.argv[1:]]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
