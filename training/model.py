"""Lfm2MoeForCausalLM in plain torch, made for fast training of tiny models: the same mathematics and a mapping to its names.

Batches are padded on the right; attention and convolutions are causal, so padding changes nothing before it.
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from fused import gated_conv, rms, swiglu

CONFIG = {
    "architectures": ["Lfm2MoeForCausalLM"], "model_type": "lfm2_moe", "dtype": "bfloat16", "vocab_size": 4096, "hidden_size": 256, "num_attention_heads": 8,
    "num_key_value_heads": 4, "num_hidden_layers": 8, "intermediate_size": 512, "moe_intermediate_size": 128, "num_experts": 8, "num_experts_per_tok": 2,
    "num_dense_layers": 1, "use_expert_bias": True, "norm_topk_prob": True, "routed_scaling_factor": 1.0, "max_position_embeddings": 4096,
    "norm_eps": 1e-05, "conv_L_cache": 3, "conv_bias": False, "initializer_range": 0.02, "use_cache": True, "rope_theta": 1000000.0, "tie_embedding": True,
    "bos_token_id": 1, "eos_token_id": 7, "pad_token_id": 0,
    "layer_types": ["conv", "full_attention"] * 4}


def matrix(*shape):
    return nn.Parameter(torch.randn(shape) * shape[-1] ** -0.5)


class Conv(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c["hidden_size"]
        self.in_proj, self.out_proj = matrix(3 * h, h), nn.Parameter(torch.zeros(h, h))
        self.kernel = nn.Parameter(torch.randn(h, c["conv_L_cache"]) * 0.5)

    def forward(self, x, context):
        if context.real is not None:
            x = x * context.real
        return F.linear(gated_conv(F.linear(x, self.in_proj), self.kernel), self.out_proj)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, self.heads, self.kv = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"]
        self.d = h // self.heads
        self.q, self.k, self.v, self.out = matrix(h, h), matrix(self.kv * self.d, h), matrix(self.kv * self.d, h), nn.Parameter(torch.zeros(h, h))
        self.q_norm, self.k_norm = nn.Parameter(torch.ones(self.d) * 1.5), nn.Parameter(torch.ones(self.d) * 1.5)

    def forward(self, x, context):
        n, t, _ = x.shape
        split = lambda w, heads: F.linear(x, w).view(n, t, heads, self.d)
        q, k = turn(rms(split(self.q, self.heads), self.q_norm), *context.rope), turn(rms(split(self.k, self.kv), self.k_norm), *context.rope)
        q, k, v = (a.transpose(1, 2) for a in (q, k, split(self.v, self.kv)))
        k, v = (a.repeat_interleave(self.heads // self.kv, 1) for a in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=context.mask, is_causal=context.mask is None)
        return F.linear(y.transpose(1, 2).reshape(n, t, -1), self.out)


class Dense(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, f = c["hidden_size"], c["intermediate_size"]
        self.w13, self.w2 = matrix(2 * f, h), nn.Parameter(torch.zeros(h, f))

    def forward(self, x):
        return F.linear(swiglu(F.linear(x, self.w13)), self.w2)


class Experts(nn.Module):
    """On a CPU tokens are sorted by expert and each expert takes its slice; an accelerator is faster with all experts for all tokens."""

    def __init__(self, c):
        super().__init__()
        h, f, self.n, self.top = c["hidden_size"], c["moe_intermediate_size"], c["num_experts"], c["num_experts_per_tok"]
        self.gate, self.w13 = matrix(self.n, h), matrix(self.n, 2 * f, h)
        self.w2 = nn.Parameter(torch.zeros(self.n, h, f))
        self.register_buffer("bias", torch.zeros(self.n))
        self.register_buffer("load", torch.zeros(self.n), persistent=False)

    def forward(self, x):
        shape, x = x.shape, x.reshape(-1, x.shape[-1])
        with torch.autocast(x.device.type, enabled=False):
            p = torch.sigmoid(F.linear(x, self.gate))
        chosen = torch.topk(p.detach() + self.bias, self.top, -1).indices
        w = p.gather(1, chosen)
        w = w / (w.sum(-1, keepdim=True) + 1e-6)
        return (self.dense if x.is_cuda else self.sparse)(x, chosen, w).view(shape)

    def sparse(self, x, chosen, w):
        order = torch.argsort(chosen.flatten(), stable=True)
        counts = torch.bincount(chosen.flatten(), minlength=self.n)
        if self.training:
            self.load += counts
        token = order // self.top
        parts = []
        for part, w13, w2 in zip(x.index_select(0, token).split(counts.tolist()), self.w13.unbind(), self.w2.unbind()):
            parts.append(F.linear(swiglu(F.linear(part, w13)), w2))
        y = torch.cat(parts) * w.flatten().index_select(0, order)[:, None]
        return torch.zeros_like(x).index_add(0, token, y)

    def dense(self, x, chosen, w):
        share = torch.zeros(x.shape[0], self.n, device=x.device).scatter(1, chosen, w)
        if self.training:
            self.load += share.detach().ne(0).sum(0)
        y = swiglu(F.linear(x, self.w13.flatten(0, 1)).unflatten(-1, (self.n, -1))) * share[:, :, None]
        return F.linear(y.flatten(1), self.w2.permute(1, 0, 2).flatten(1))

    def balance(self, rate):
        """Moves the selection bias towards equal loads; no loss term is needed."""
        self.bias += rate * torch.sign(self.load.mean() - self.load)
        self.bias -= self.bias.mean()
        self.load.zero_()


def turn(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Context(NamedTuple):
    """What all layers share. `mask` and `real` (0 for padding) keep the cases of a packed row apart; without them rows are single cases."""
    rope: tuple
    mask: torch.Tensor | None
    real: torch.Tensor | None


def block(x, mixer, ffn, norm, ffn_norm, context):
    x = x + mixer(rms(x, norm), context)
    return x + ffn(rms(x, ffn_norm))


class Model(nn.Module):
    def __init__(self, c=CONFIG):
        super().__init__()
        self.c, h = c, c["hidden_size"]
        self.embed = nn.Parameter(torch.randn(c["vocab_size"], h) * 0.04)
        self.mixers = nn.ModuleList(Conv(c) if k == "conv" else Attention(c) for k in c["layer_types"])
        self.ffns = nn.ModuleList(Dense(c) if i < c["num_dense_layers"] else Experts(c) for i in range(c["num_hidden_layers"]))
        ones = lambda: nn.ParameterList(nn.Parameter(torch.ones(h)) for _ in c["layer_types"])
        self.norms, self.ffn_norms, self.last_norm = ones(), ones(), nn.Parameter(torch.ones(h))
        d = h // c["num_attention_heads"]
        self.block = block
        self.register_buffer("frequency", 1.0 / c["rope_theta"] ** (torch.arange(0, d, 2).float() / d), persistent=False)

    def compile_blocks(self):
        """For training: layers of the same kinds share their compiled code."""
        torch.backends.cuda.enable_cudnn_sdp(False)               # masks are for the other kernels
        self.block = torch.compile(block, dynamic=False)

    def forward(self, ids, cases=None):
        """ids [n, t] -> the normalised stream [n, t, hidden]; `logits` makes logits of the rows that are needed.

        cases [n, t]: the number of each token's case in its row, 0 for padding; at least conv_L_cache - 1 of it before each case.
        """
        angle = torch.arange(ids.shape[1], device=ids.device)[:, None] * self.frequency
        context = Context((angle.cos()[:, None], angle.sin()[:, None]), None, None)
        if cases is not None:
            seen = (cases[:, :, None] == cases[:, None, :]) & torch.ones(2 * ids.shape[1:], dtype=torch.bool, device=ids.device).tril()
            kind = ids.device.type
            mask = torch.zeros(seen.shape, device=kind, dtype=torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None).masked_fill(~seen, float("-inf"))
            context = Context(context.rope, mask[:, None], (cases > 0)[:, :, None].float())
        x = self.embed.index_select(0, ids.flatten()).view(*ids.shape, -1)
        step = self.block if self.training else block
        for mixer, ffn, n1, n2 in zip(self.mixers, self.ffns, self.norms, self.ffn_norms):
            x = step(x, mixer, ffn, n1, n2, context)
        return rms(x, self.last_norm)

    def logits(self, rows):
        return F.linear(rows, self.embed)


def to_published(model):
    """Weights under the names of the published checkpoints."""
    out = {"model.embed_tokens.weight": model.embed, "model.embedding_norm.weight": model.last_norm}
    for i, (mixer, ffn) in enumerate(zip(model.mixers, model.ffns)):
        p = f"model.layers.{i}."
        out |= {p + "operator_norm.weight": model.norms[i], p + "ffn_norm.weight": model.ffn_norms[i]}
        if isinstance(mixer, Conv):
            out |= {p + "conv.in_proj.weight": mixer.in_proj, p + "conv.out_proj.weight": mixer.out_proj, p + "conv.conv.weight": mixer.kernel[:, None]}
        else:
            p += "self_attn."
            out |= {p + "q_proj.weight": mixer.q, p + "k_proj.weight": mixer.k, p + "v_proj.weight": mixer.v, p + "out_proj.weight": mixer.out,
                    p + "q_layernorm.weight": mixer.q_norm, p + "k_layernorm.weight": mixer.k_norm}
        p = f"model.layers.{i}.feed_forward."
        if isinstance(ffn, Dense):
            w1, w3 = ffn.w13.chunk(2)
            out |= {p + "w1.weight": w1, p + "w3.weight": w3, p + "w2.weight": ffn.w2}
            continue
        out |= {p + "gate.weight": ffn.gate, p + "expert_bias": ffn.bias}
        for e in range(ffn.n):
            w1, w3 = ffn.w13[e].chunk(2)
            out |= {f"{p}experts.{e}.w1.weight": w1, f"{p}experts.{e}.w3.weight": w3, f"{p}experts.{e}.w2.weight": ffn.w2[e]}
    return {n: t.detach().float().contiguous().clone() for n, t in out.items()}


@torch.no_grad()
def from_published(model, weights):
    """The inverse: fills the model with weights under their published names."""
    for name, tensor in to_published(model).items():
        if weights[name].shape != tensor.shape:
            raise SystemExit(f"{name} has the shape {tuple(weights[name].shape)}, this model's is {tuple(tensor.shape)}")
    model.embed.copy_(weights["model.embed_tokens.weight"]), model.last_norm.copy_(weights["model.embedding_norm.weight"])
    for i, (mixer, ffn) in enumerate(zip(model.mixers, model.ffns)):
        p = f"model.layers.{i}."
        model.norms[i].copy_(weights[p + "operator_norm.weight"]), model.ffn_norms[i].copy_(weights[p + "ffn_norm.weight"])
        if isinstance(mixer, Conv):
            mixer.in_proj.copy_(weights[p + "conv.in_proj.weight"]), mixer.out_proj.copy_(weights[p + "conv.out_proj.weight"])
            mixer.kernel.copy_(weights[p + "conv.conv.weight"][:, 0])
        else:
            for own, name in (("q", "q_proj"), ("k", "k_proj"), ("v", "v_proj"), ("out", "out_proj"), ("q_norm", "q_layernorm"), ("k_norm", "k_layernorm")):
                getattr(mixer, own).copy_(weights[f"{p}self_attn.{name}.weight"])
        p += "feed_forward."
        if isinstance(ffn, Dense):
            ffn.w13.copy_(torch.cat((weights[p + "w1.weight"], weights[p + "w3.weight"]))), ffn.w2.copy_(weights[p + "w2.weight"])
            continue
        ffn.gate.copy_(weights[p + "gate.weight"]), ffn.bias.copy_(weights[p + "expert_bias"])
        for e in range(ffn.n):
            q = f"{p}experts.{e}."
            ffn.w13[e].copy_(torch.cat((weights[q + "w1.weight"], weights[q + "w3.weight"]))), ffn.w2[e].copy_(weights[q + "w2.weight"])
