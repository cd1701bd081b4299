"""Runs the held-out sets through transformers on the dequantised weights of a GGUF file, at temperature 0:

  evaluate_transformers.py MODEL.gguf EVAL_DIR --out answers.jsonl [--cases N] [--batch 16]

Needs nothing but the file: configuration, tokenizer and template are read from its metadata.
"""
import argparse
import json
import os
import tempfile

import gguf
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

import export
from make_tokenizer import REGEX, split
from model import CONFIG, Model, to_published


def metadata(path):
    return {k: f.contents() for k, f in gguf.GGUFReader(path).fields.items()}


def config_of(meta):
    get = lambda key: meta["lfm2moe." + key]
    kv = get("attention.head_count_kv")
    return {**CONFIG, "vocab_size": get("vocab_size"), "hidden_size": get("embedding_length"), "num_attention_heads": get("attention.head_count"),
            "num_key_value_heads": max(kv), "num_hidden_layers": get("block_count"), "intermediate_size": get("feed_forward_length"),
            "moe_intermediate_size": get("expert_feed_forward_length"), "num_experts": get("expert_count"), "num_experts_per_tok": get("expert_used_count"),
            "num_dense_layers": get("leading_dense_block_count"), "rope_theta": get("rope.freq_base"), "norm_eps": get("attention.layer_norm_rms_epsilon"),
            "layer_types": ["full_attention" if n else "conv" for n in kv]}


def tokenizer_of(meta):
    tokens, kinds = meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    t = Tokenizer(models.BPE(vocab={s: i for i, s in enumerate(tokens)}, merges=[tuple(m.split(" ")) for m in meta["tokenizer.ggml.merges"]], ignore_merges=True))
    t.pre_tokenizer, t.decoder = pre_tokenizers.Sequence(split(REGEX)), decoders.ByteLevel()
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s, k in zip(tokens, kinds) if k == int(gguf.TokenType.CONTROL)])
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token=tokens[1], eos_token=tokens[7], pad_token=tokens[0], padding_side="left",
                                   chat_template=meta["tokenizer.chat_template"])


def model_of(path, config):
    weights = export.dequantised(path, to_published(Model(config)))
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/config.json", "w") as f:
            json.dump(config, f)
        export.save_file(weights, folder + "/model.safetensors", metadata={"format": "pt"})
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def groups(cases, length, size):
    """Indexes of cases in batches of equal length, so that nothing is padded."""
    order = sorted(range(len(cases)), key=length)
    while order:
        group = [i for i in order[:size] if length(i) == length(order[0])]
        order = order[len(group):]
        yield group


@torch.no_grad()
def answers(model, tokenizer, cases, batch):
    """Greedy answers as texts, without the end token.

    Greedy decoding gives the expected answer exactly where each of its tokens is the best one after its predecessors: one pass tells. Only the
    other answers are generated.
    """
    ids = [tokenizer.apply_chat_template(c["messages"], tools=c.get("tools"), add_generation_prompt=True, return_dict=False) for c in cases]
    want = [tokenizer.encode(c["answer"], add_special_tokens=False) + [7] for c in cases]
    out = [None] * len(cases)
    for group in groups(cases, lambda i: len(ids[i]) + len(want[i]), batch):
        best = model(torch.tensor([ids[i] + want[i][:-1] for i in group]), use_cache=False).logits.argmax(-1).tolist()
        for i, row in zip(group, best):
            if row[len(ids[i]) - 1:] == want[i]:
                out[i] = cases[i]["answer"]
    wrong = [i for i, text in enumerate(out) if text is None]
    for group in groups(wrong, lambda k: len(ids[wrong[k]]), batch):
        prompts = torch.tensor([ids[wrong[k]] for k in group])
        made = model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=False, max_new_tokens=64, repetition_penalty=1.0,
                              eos_token_id=7, pad_token_id=0)
        for k, row in zip(group, made[:, prompts.shape[1]:].tolist()):
            out[wrong[k]] = tokenizer.decode(row[:row.index(7)] if 7 in row else row, skip_special_tokens=False)
    return out


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("model"), a.add_argument("sets"), a.add_argument("--out"), a.add_argument("--cases", type=int), a.add_argument("--batch", type=int, default=16)
    a.add_argument("--threads", type=int, default=1)
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    meta = metadata(a.model)
    tokenizer, model = tokenizer_of(meta), model_of(a.model, config_of(meta))
    written = open(a.out, "w", encoding="utf-8") if a.out else None
    for file in sorted(f for f in os.listdir(a.sets) if f.endswith(".jsonl")):
        with open(f"{a.sets}/{file}", encoding="utf-8") as f:
            cases = [json.loads(line) for line in f][:a.cases]
        got = answers(model, tokenizer, cases, a.batch)
        good = sum(g == c["answer"] for g, c in zip(got, cases))
        print(f"{file.removesuffix('.jsonl'):8} {good}/{len(cases)} exact = {100 * good / len(cases):.1f} %", flush=True)
        if written:
            for i, g in enumerate(got):
                written.write(json.dumps({"set": file.removesuffix(".jsonl"), "case": i, "text": g}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
