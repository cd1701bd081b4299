"""Trains the demo model: train.py WORK --minutes 80

WORK holds tokenizer.json (make_tokenizer.py) and receives checkpoint.pt, which a second start continues from, and log.txt.
The learning rate follows the wall clock, so the run ends annealed at the planned time whatever the machine does meanwhile.
On a GPU: train.py WORK --minutes 6 --rows 64 --threads 14
"""
import argparse
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import tasks
import words
from batches import Maker, ahead, encode, micro_batches, padded, tensors
from model import Model, from_published, to_published
from optimizer import Optimizer
from start import induction

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FIRST = {"copy": 0.4, "naming": 0.25, "routing": 0.1, "tools": 0.1, "json": 0.1, "talk": 0.05}      # the curriculum starts with copying
THEN = {"copy": 0.03, "naming": 0.12, "calls": 0.2, "values": 0.2, "routing": 0.16, "tools": 0.14, "json": 0.12, "talk": 0.03}
LAST = {"copy": 0.08, "naming": 0.05, "calls": 0.12, "values": 0.1, "routing": 0.14, "tools": 0.26, "json": 0.21, "talk": 0.04}      # at the end: what is wanted


def answers(model, ids, cases, where):
    """Logits at the predicted positions; bfloat16 products on a GPU."""
    with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
        return model.logits(model(ids, cases).flatten(0, 1).index_select(0, where)).float()


@torch.no_grad()
def exact(model, cases):
    """Share of answers that greedy decoding would give exactly: every token of the answer is the best one after its predecessors."""
    model.eval()
    good = 0
    for batch in micro_batches(cases, 3000 if DEVICE == "cpu" else 30000):
        *inputs, target, _ = tensors(padded(batch, 0.0, np.random.default_rng(0)), DEVICE)
        right = (answers(model, *inputs).argmax(-1) == target).split([sum(v > 0 for v in w) for _, w in batch])
        good += sum(bool(r.all()) for r in right)
    model.train()
    return good / len(cases)


def backward(model, arrays, total):
    """Adds the gradients of one micro-batch; gradients may be added from several threads at once."""
    return gradients(model, tensors(arrays, DEVICE), total)


def gradients(model, batch, total=1.0):
    *inputs, target, weight = batch
    loss = (F.cross_entropy(answers(model, *inputs), target, reduction="none") * weight).sum() / total
    loss.backward()
    return loss.detach()


class Graph:
    """`gradients` for batches of one fixed shape, captured once as a CUDA graph: no Python between its kernels. Gradients are overwritten, not added."""

    def __init__(self, model, arrays):
        self.batch = tensors(arrays, DEVICE)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                gradients(model, self.batch)
                model.zero_grad(set_to_none=True)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = gradients(model, self.batch)

    def __call__(self, arrays):
        for own, new in zip(self.batch, tensors(arrays, DEVICE)):
            own.copy_(new)
        self.graph.replay()
        return self.loss.clone()


def rate(x, warm=0.02, flat=0.55):
    """Learning rate at the share x of the time: up, flat, down to nearly nothing."""
    return max(min(1.0, x / warm, (1.0 - x) / (1.0 - flat)), 0.01)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("work"), a.add_argument("--minutes", type=float, default=80), a.add_argument("--threads", type=int, default=2, help="on a GPU: processes that make cases")
    a.add_argument("--cases", type=int, default=32, help="cases a step"), a.add_argument("--budget", type=int, default=1800, help="tokens a micro-batch")
    a.add_argument("--copying", type=float, default=0.12, help="share of the time for the first part of the curriculum")
    a.add_argument("--last", type=float, default=0.7, help="share of the time from which mostly whole tasks are trained"), a.add_argument("--rate", type=float, default=1.0, help="highest learning rate")
    a.add_argument("--seed", type=int, default=100), a.add_argument("--until", type=float, help="end of the run, seconds since 1970, instead of --minutes")
    a.add_argument("--save", type=float, default=240, metavar="SECONDS", help="time between checkpoints, each with a look at held-out cases")
    a.add_argument("--rows", type=int, help="on a GPU: rows of 1,024 tokens a step, packed with cases, instead of --cases and --budget")
    a.add_argument("--no-compile", action="store_true", help="on a GPU: do not compile the layers"), a.add_argument("--no-graph", action="store_true", help="on a GPU: start each kernel from Python")
    a.add_argument("--from", dest="start_file", metavar="GGUF", help="goes on from the weights and the tokenizer of this file, where WORK has no checkpoint")
    a = a.parse_args()
    if a.start_file and not os.path.exists(a.work + "/tokenizer.json"):
        from evaluate_transformers import metadata, tokenizer_of
        os.makedirs(a.work, exist_ok=True)
        tokenizer_of(metadata(a.start_file)).backend_tokenizer.save(a.work + "/tokenizer.json")
    # One thread an operation, and micro-batches side by side: nothing waits for a busy core but the end of a step.
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(a.threads if DEVICE == "cpu" else 1, initializer=torch.set_num_threads, initargs=(1,))
    torch.manual_seed(0), torch.set_flush_denormal(True)
    tokenizer = Tokenizer.from_file(a.work + "/tokenizer.json")
    looks = {world: {n: [encode(tokenizer, tasks.mixed(s, {n: 1})) for _ in range(60)] for n in THEN for s in [words.Source(1, world == "held out")]}
             for world in ("training", "held out")}
    model = Model()
    if a.start_file:
        from export import dequantised
        from_published(model, dequantised(a.start_file, to_published(model)))
    else:
        induction(model)
    model.to(DEVICE)
    if DEVICE == "cuda" and not a.no_compile:
        model.compile_blocks()
    optimizer = Optimizer(model)
    saved = a.work + "/checkpoint.pt"
    step, start, seen = 0, time.time(), 0
    if os.path.exists(saved):
        state = torch.load(saved, map_location=DEVICE)
        model.load_state_dict(state["model"]), optimizer.restore(state["optimizer"])
        step, start, seen = state["step"], state["start"], state["seen"]
    until = a.until or start + a.minutes * 60
    passed = lambda: (time.time() - start) / (until - start)

    def wanted():
        for seed in itertools.count(a.seed + step):
            x = passed()
            yield seed * 1000003, *((FIRST, 0.12) if x < a.copying else (THEN if x < a.last else LAST, 0.04))

    log = open(a.work + "/log.txt", "a", buffering=1)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, step {step}", file=log)
    mean, last, clock, shown = None, time.time(), time.time(), seen
    graph = None
    for micro, total, tokens in ahead(Maker(tokenizer, a.cases, a.budget, a.rows and (a.rows, 1024)), wanted(), a.threads if DEVICE == "cuda" else 0):
        x = passed()
        if a.rows and DEVICE == "cuda" and not a.no_graph:
            graph = graph or Graph(model, micro[0])
            value = graph(micro[0])
        else:
            value = sum(pool.map(lambda arrays: backward(model, arrays, total), micro))
        seen += tokens
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(a.rate * rate(x), pool)
        for ffn in model.ffns:
            if hasattr(ffn, "balance"):
                ffn.balance(0.002 * a.rate * rate(x))
        if step == 0:
            start = time.time()                             # what was compiled and captured took none of the run's time
        step, mean = step + 1, value if mean is None else 0.95 * mean + 0.05 * value
        if step % 25 == 0:
            cpu = os.times()
            speed = (seen - shown) / (time.time() - clock)
            print(f"{time.strftime('%H:%M:%S')} step {step} time {x:.3f} seen {seen / 1e6:.2f}M loss {mean:.4f} {speed:.0f} tokens/s, CPU s {cpu.user:.0f} + {cpu.system:.0f}", file=log)
            clock, shown = time.time(), seen
        if time.time() - last > a.save or x >= 1:
            for world, cases in looks.items():
                print(f"{world}:", {n: round(exact(model, p), 3) for n, p in cases.items()}, file=log)
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state(), "step": step, "start": start, "seen": seen}, saved + ".new")
            os.replace(saved + ".new", saved)
            last = clock = time.time()
            shown = seen
        if x >= 1:
            return


if __name__ == "__main__":
    main()
