"""Writes a checkpoint as a Hugging Face folder and as GGUF: export.py WORK OUT.gguf [--folder DIR] [--blend WORK2 --share 0.25]

Matrices are Q8_0; norms, routers, convolution kernels and expert biases stay float32, as in the published files.
`dequantised` gives the weights of such a file back under Hugging Face names, for a check through transformers.
"""
import argparse
import json
import os
import re
import shutil

import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file

from model import Model, to_published

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "lfm-demo"
NAMES = {"operator_norm": "attn_norm", "ffn_norm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.out_proj": "attn_output", "self_attn.q_layernorm": "attn_q_norm", "self_attn.k_layernorm": "attn_k_norm",
         "conv.in_proj": "shortconv.in_proj", "conv.out_proj": "shortconv.out_proj", "conv.conv": "shortconv.conv",
         "feed_forward.w1": "ffn_gate", "feed_forward.w3": "ffn_up", "feed_forward.w2": "ffn_down", "feed_forward.gate": "ffn_gate_inp",
         "experts.w1": "ffn_gate_exps", "experts.w3": "ffn_up_exps", "experts.w2": "ffn_down_exps"}


def gguf_name(name):
    """GGUF name of a published tensor; the experts of a layer share one."""
    if name.startswith("model.embed"):
        return "token_embd.weight" if "tokens" in name else "token_embd_norm.weight"
    layer, rest = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", name).groups()
    if rest.endswith("expert_bias"):
        return f"blk.{layer}.exp_probs_b.bias"
    return f"blk.{layer}.{NAMES[re.sub(r'feed_forward.experts.[0-9]+', 'experts', rest.removesuffix('.weight'))]}.weight"


def stacked(weights):
    """GGUF name -> (published names, float32 array); experts are stacked in their order."""
    groups = {}
    for n, t in weights.items():
        groups.setdefault(gguf_name(n), []).append((n, t.numpy()))
    return {g: ([n for n, _ in parts], np.stack([x for _, x in parts]) if "_exps" in g else parts[0][1].squeeze()) for g, parts in groups.items()}


def dequantised(path, weights):
    """The weights of a GGUF file as float32 under the published names; `weights` gives names and shapes."""
    groups, out = stacked(weights), {}
    for t in gguf.GGUFReader(path).tensors:
        x = np.array(dequantize(t.data, t.tensor_type), dtype=np.float32)
        for i, n in enumerate(groups[t.name][0]):
            part = x[i] if "_exps" in t.name else x
            out[n] = torch.from_numpy(part.reshape(weights[n].shape).copy())
    return out


def write_folder(config, weights, work, folder):
    os.makedirs(folder, exist_ok=True)
    for name, value in {"config.json": config, "generation_config.json": {
            "bos_token_id": 1, "eos_token_id": 7, "pad_token_id": 0, "do_sample": True, "temperature": 0.3, "min_p": 0.15, "repetition_penalty": 1.05}}.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
            json.dump(value, f, indent=1)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(f"{work}/{name}", f"{folder}/{name}")
    shutil.copyfile(HERE + "/chat_template.jinja", folder + "/chat_template.jinja")
    save_file(weights, folder + "/model.safetensors", metadata={"format": "pt"})


def add_tokenizer(g, path, size):
    tok = json.load(open(path, encoding="utf-8"))
    tokens, added = {i: t for t, i in tok["model"]["vocab"].items()}, {t["id"]: t for t in tok["added_tokens"]}
    g.add_tokenizer_model("gpt2"), g.add_tokenizer_pre("lfm2")
    g.add_token_list([tokens.get(i, f"<|unused_{i}|>") for i in range(size)])     # the vocabulary may be padded beyond the tokens
    g.add_token_types([int(gguf.TokenType.CONTROL if i in added else gguf.TokenType.NORMAL if i in tokens else gguf.TokenType.UNUSED) for i in range(size)])
    g.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tok["model"]["merges"]])
    g.add_bos_token_id(1), g.add_eos_token_id(7), g.add_pad_token_id(0), g.add_add_bos_token(True), g.add_add_eos_token(False)
    g.add_chat_template(open(HERE + "/chat_template.jinja", encoding="utf-8").read())


def write_gguf(c, weights, work, out):
    g = gguf.GGUFWriter(out, "lfm2moe")
    g.add_name(NAME), g.add_size_label(f"{sum(w.numel() for w in weights.values()) / 1e6:.1f}M")
    g.add_description("Tiny demo model of lfm.cpp, trained on generated text"), g.add_license("apache-2.0")
    g.add_block_count(c["num_hidden_layers"]), g.add_context_length(c["max_position_embeddings"]), g.add_embedding_length(c["hidden_size"])
    g.add_feed_forward_length(c["intermediate_size"]), g.add_head_count(c["num_attention_heads"])
    g.add_head_count_kv([c["num_key_value_heads"] if k == "full_attention" else 0 for k in c["layer_types"]])
    g.add_rope_freq_base(c["rope_theta"]), g.add_layer_norm_rms_eps(c["norm_eps"]), g.add_vocab_size(c["vocab_size"])
    g.add_shortconv_l_cache(c["conv_L_cache"]), g.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0), g.add_quantization_version(2)
    g.add_expert_count(c["num_experts"]), g.add_expert_used_count(c["num_experts_per_tok"])
    g.add_expert_feed_forward_length(c["moe_intermediate_size"]), g.add_leading_dense_block_count(c["num_dense_layers"])
    g.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    add_tokenizer(g, work + "/tokenizer.json", c["vocab_size"])
    for name, (_, x) in stacked(weights).items():
        if x.ndim == 1 or "ffn_gate_inp" in name or "shortconv.conv" in name:
            g.add_tensor(name, np.ascontiguousarray(x, dtype=np.float32))
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            g.add_tensor(name, quantize(np.ascontiguousarray(x), kind), raw_dtype=kind)
    g.write_header_to_file(), g.write_kv_data_to_file(), g.write_tensors_to_file(), g.close()


def load(work, other=None, share=0.0):
    """The model of a checkpoint, or the mean of it and a later one, which has `share`."""
    model = Model()
    read = lambda folder: torch.load(folder + "/checkpoint.pt", map_location="cpu")["model"]
    state = read(work)
    if other:
        later = read(other)
        state = {name: (1 - share) * value + share * later[name] for name, value in state.items()}
    model.load_state_dict(state)
    return model


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("work"), a.add_argument("out"), a.add_argument("--folder")
    a.add_argument("--blend", metavar="WORK2", help="average the weights with those of a run that went on from WORK's model"), a.add_argument("--share", type=float, default=0.5)
    a = a.parse_args()
    model = load(a.work, a.blend, a.share)
    weights = to_published(model)
    if a.folder:
        write_folder(model.c, weights, a.work, a.folder)
    write_gguf(model.c, weights, a.work, a.out)
    print(f"{a.out}: {os.path.getsize(a.out) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
