"""Trains the byte-level BPE of the demo model: make_tokenizer.py OUT

4,096 tokens, LFM2's regular expression, its special tokens at its ids. A space is merged only with frequent words in small letters, so
" Oslo" and "Oslo" end in the same tokens: what is copied from a sentence into quotes keeps its ids.
"""
import argparse
import collections
import json
import os
import re

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import tasks
import words

REGEX = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|fim_pre|>", "<|fim_mid|>", "<|fim_suf|>", "<|im_start|>", "<|im_end|>",
           "<|tool_list_start|>", "<|tool_list_end|>", "<|tool_call_start|>", "<|tool_call_end|>", "<|tool_response_start|>", "<|tool_response_end|>"]
SPECIAL += [f"<|reserved_{i}|>" for i in range(4, 16)]
PLAIN = {"<|reserved_4|>", "<|reserved_5|>"}     # in the vocabulary, but ordinary text
SIZE, SPACED = 4096, 1000


def split(regex):
    return [pre_tokenizers.Split(Regex(regex), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


def alphabet():
    """The 256 bytes as GPT-2 prints them, in its order."""
    plain = [b for r in (range(33, 127), range(161, 173), range(174, 256)) for b in r]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]


def corpus(n):
    source = words.Source(1)
    for _ in range(n):
        case = tasks.mixed(source, {"routing": 3, "tools": 3, "json": 3, "talk": 2})
        text = tasks.prompt(case) + case["answer"]
        yield re.sub(r"<\|[a-z_]+\|>", "\n", text)


def build(texts):
    texts = list(texts)
    room = SIZE - len(SPECIAL) - 256 - SPACED
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r), "isolated") for r in (REGEX, r" (?=\p{L})")] + split(REGEX)[1:])
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=256 + room, initial_alphabet=alphabet(), show_progress=False))
    model = json.loads(t.to_str())["model"]
    inner = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    known = set(model["vocab"])
    count = collections.Counter(w for s in texts for w in re.findall(r" ([a-z]+)", s))
    spaced = [w for w, _ in count.most_common() if w in known][:SPACED]
    merges = inner + [("\u0120", w) for w in spaced]
    vocab = {}
    for token in SPECIAL + alphabet() + [a + b for a, b in merges]:
        vocab.setdefault(token, len(vocab))
    t = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    t.pre_tokenizer, t.decoder = pre_tokenizers.Sequence(split(REGEX)), decoders.ByteLevel()
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL if s not in PLAIN])
    t.post_processor = processors.TemplateProcessing(single="<|startoftext|> $A", pair="<|startoftext|> $A $B", special_tokens=[("<|startoftext|>", 1)])
    return t


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out"), a.add_argument("--cases", type=int, default=30000)
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    t = build(corpus(a.cases))
    t.save(a.out + "/tokenizer.json")
    added = {i["id"]: {k: i[k] for k in ("content", "lstrip", "normalized", "rstrip", "single_word", "special")}
             for i in json.loads(t.to_str())["added_tokens"]}
    config = {"add_bos_token": True, "add_eos_token": False, "added_tokens_decoder": added, "bos_token": "<|startoftext|>", "eos_token": "<|im_end|>",
              "pad_token": "<|pad|>", "clean_up_tokenization_spaces": False, "legacy": False, "model_max_length": 1000000000000000019884624838656,
              "sp_model_kwargs": {}, "spaces_between_special_tokens": False, "tokenizer_class": "PreTrainedTokenizerFast", "use_fast": True}
    with open(a.out + "/tokenizer_config.json", "w", encoding="utf-8") as f:
        json.dump(config, f, ensure_ascii=False, indent=1)
    print("tokens:", t.get_vocab_size())


if __name__ == "__main__":
    main()
