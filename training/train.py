"""Trains the demo model: train.py WORK --minutes 80

WORK holds tokenizer.json (make_tokenizer.py) and receives checkpoint.pt, which a second start continues from, and log.txt.
The learning rate follows the wall clock, so the run ends annealed at the planned time whatever the machine does meanwhile.
"""
import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import export
import tasks
import words
from evaluate_transformers import metadata, tokenizer_of
from model import Model, from_published, to_published
from optimizer import Optimizer
from start import induction

END = 7
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FIRST = {"copy": 0.4, "naming": 0.25, "routing": 0.1, "tools": 0.1, "json": 0.1, "talk": 0.05}      # the curriculum starts with copying
THEN = {"copy": 0.03, "naming": 0.12, "calls": 0.2, "values": 0.2, "routing": 0.16, "tools": 0.14, "json": 0.12, "talk": 0.03}
LAST = {"naming": 0.06, "calls": 0.1, "values": 0.1, "routing": 0.24, "tools": 0.25, "json": 0.21, "talk": 0.04}      # from 0.7 of the time on: what is wanted


def encode(tokenizer, case):
    """Token ids of a conversation and the weight of predicting each; answers count, prompts are 0."""
    ids, weights = [], []
    *earlier, last = (tasks.prompt({**case, "messages": case["messages"][:i]}) for i in range(1, len(case["messages"]) + 1)
                      if case["messages"][i - 1]["role"] == "user")
    done = ""
    answers = [m["content"] for m in case["messages"] if m["role"] == "assistant"] + [case["answer"]]
    for text, answer in zip([*earlier, last], answers):
        new = tokenizer.encode(text[len(done):], add_special_tokens=False).ids
        out = tokenizer.encode(answer, add_special_tokens=False).ids + [END]
        ids += new + out
        weights += [0.0] * len(new) + [3.0 if len(out) < 9 else 1.0] * len(out)     # one-word answers decide as much as long ones
        done = text + answer + "<|im_end|>"
    return ids, weights


def micro_batches(cases, budget):
    """Encoded cases as padded batches of about `budget` tokens, short ones together."""
    batch = []
    for c in sorted(cases, key=lambda c: len(c[0])):
        if batch and (len(batch) + 1) * len(c[0]) > budget:
            yield batch
            batch = []
        batch.append(c)
    yield batch


def tensors(batch, prompt_share):
    """ids, and for each predicted position its flat index, target and weight. Of the prompts only a sample is predicted."""
    width = len(batch[-1][0]) - 1
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    where, target, weight = [], [], []
    for i, (seq, w) in enumerate(batch):
        seq, w = torch.tensor(seq), torch.tensor(w)[1:]
        ids[i, :len(seq) - 1] = seq[:-1]
        keep = (w > 0) | (torch.rand(len(w)) < prompt_share)
        where.append(keep.nonzero()[:, 0] + i * width), target.append(seq[1:][keep])
        weight.append(torch.where(w > 0, w, 0.5)[keep])
    return [t.to(DEVICE) for t in (ids, torch.cat(where), torch.cat(target), torch.cat(weight))]


@torch.no_grad()
def exact(model, cases):
    """Share of answers that greedy decoding would give exactly: every token of the answer is the best one after its predecessors."""
    model.eval()
    good = 0
    for batch in micro_batches(cases, 3000):
        ids, where, target, _ = tensors(batch, 0.0)
        rows = model(ids).flatten(0, 1)[where]
        right = (model.logits(rows).argmax(-1) == target).split([sum(v > 0 for v in w) for _, w in batch])
        good += sum(bool(r.all()) for r in right)
    model.train()
    return good / len(cases)


def backward(model, batch, total, prompt_share):
    """Adds the gradients of one micro-batch; gradients may be added from several threads at once."""
    ids, where, target, weight = tensors(batch, prompt_share)
    rows = model(ids).flatten(0, 1).index_select(0, where)
    loss = (F.cross_entropy(model.logits(rows), target, reduction="none") * weight).sum() / total
    loss.backward()
    return loss.item()


def rate(x, warm=0.02, flat=0.55):
    """Learning rate at the share x of the time: up, flat, down to nearly nothing."""
    return max(min(1.0, x / warm, (1.0 - x) / (1.0 - flat)), 0.01)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("work"), a.add_argument("--minutes", type=float, default=80), a.add_argument("--threads", type=int, default=2)
    a.add_argument("--cases", type=int, default=32, help="cases a step"), a.add_argument("--budget", type=int, default=1800, help="tokens a micro-batch")
    a.add_argument("--copying", type=float, default=0.12, help="share of the time for the first part of the curriculum")
    a.add_argument("--seed", type=int, default=100), a.add_argument("--until", type=float, help="end of the run, seconds since 1970, instead of --minutes")
    a.add_argument("--from", dest="start_file", metavar="GGUF", help="goes on from the weights and the tokenizer of this file, where WORK has no checkpoint")
    a = a.parse_args()
    if a.start_file and not os.path.exists(a.work + "/tokenizer.json"):
        os.makedirs(a.work, exist_ok=True)
        tokenizer_of(metadata(a.start_file)).backend_tokenizer.save(a.work + "/tokenizer.json")
    # One thread an operation, and micro-batches side by side: nothing waits for a busy core but the end of a step.
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(a.threads if DEVICE == "cpu" else 1, initializer=torch.set_num_threads, initargs=(1,))
    torch.manual_seed(0), torch.set_flush_denormal(True)
    tokenizer = Tokenizer.from_file(a.work + "/tokenizer.json")
    held = {n: [encode(tokenizer, tasks.mixed(s, {n: 1})) for _ in range(50)] for n in THEN for s in [words.Source(1, True)]}
    model = Model()
    if a.start_file:
        from_published(model, export.dequantised(a.start_file, to_published(model)))
    else:
        induction(model)
    model.to(DEVICE)
    optimizer = Optimizer(model)
    saved = a.work + "/checkpoint.pt"
    step, start, seen = 0, time.time(), 0
    if os.path.exists(saved):
        state = torch.load(saved, map_location=DEVICE)
        model.load_state_dict(state["model"]), optimizer.restore(state["optimizer"])
        step, start, seen = state["step"], state["start"], state["seen"]
    until = a.until or start + a.minutes * 60
    source = words.Source(a.seed + step)
    log = open(a.work + "/log.txt", "a", buffering=1)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, step {step}", file=log)
    mean, last, clock, shown = None, time.time(), time.time(), seen
    while True:
        x = (time.time() - start) / (until - start)
        mixture, share = (FIRST, 0.12) if x < a.copying else (THEN if x < 0.7 else LAST, 0.04)
        turns = lambda: source.one([2, 3, 4, 5, 6, 7])      # several answers share one system prompt
        cases = [encode(tokenizer, tasks.mixed(source, mixture, turns())) for _ in range(a.cases)]
        total = sum(sum(w) for _, w in cases)
        value = sum(pool.map(lambda batch: backward(model, batch, total, share), list(micro_batches(cases, a.budget))[::-1]))
        seen += sum(len(c) for c, _ in cases)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(rate(x), pool)
        for ffn in model.ffns:
            if hasattr(ffn, "balance"):
                ffn.balance(0.002 * rate(x))
        step, mean = step + 1, value if mean is None else 0.95 * mean + 0.05 * value
        if step % 25 == 0:
            cpu = os.times()
            speed = (seen - shown) / (time.time() - clock)
            print(f"{time.strftime('%H:%M:%S')} step {step} time {x:.3f} seen {seen / 1e6:.2f}M loss {mean:.4f} {speed:.0f} tokens/s, CPU s {cpu.user:.0f} + {cpu.system:.0f}", file=log)
            clock, shown = time.time(), seen
        if time.time() - last > 240 or x >= 1:
            print("held out:", {n: round(exact(model, p), 3) for n, p in held.items()}, file=log)
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state(), "step": step, "start": start, "seen": seen}, saved + ".new")
            os.replace(saved + ".new", saved)
            last = clock = time.time()
            shown = seen
        if x >= 1:
            return


if __name__ == "__main__":
    main()
