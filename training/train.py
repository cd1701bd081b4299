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

import torch
from tokenizers import Tokenizer

import tasks
import words
from batches import Maker, ahead, encode, tensors
from gradient import DEVICE, Graph, backward, exact
from model import Model, from_published, to_published
from optimizer import Optimizer
from start import induction

FIRST = {"copy": 0.4, "naming": 0.25, "routing": 0.1, "tools": 0.1, "json": 0.1, "talk": 0.05}      # the curriculum starts with copying
THEN = {"copy": 0.03, "naming": 0.12, "calls": 0.2, "values": 0.2, "routing": 0.16, "tools": 0.14, "json": 0.12, "talk": 0.03}
LAST = {"copy": 0.08, "naming": 0.05, "calls": 0.12, "values": 0.1, "routing": 0.14, "tools": 0.26, "json": 0.21, "talk": 0.04}      # at the end: what is wanted


def rate(x, warm=0.02, flat=0.55):
    """Learning rate at the share x of the time: up, flat, down to nearly nothing."""
    return max(min(1.0, x / warm, (1.0 - x) / (1.0 - flat)), 0.01)


def options():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("work")
    a.add_argument("--minutes", type=float, default=80)
    a.add_argument("--until", type=float, help="end of the run, seconds since 1970, instead of --minutes")
    a.add_argument("--threads", type=int, default=2, help="on a GPU: processes that make cases")
    a.add_argument("--cases", type=int, default=32, help="cases a step")
    a.add_argument("--budget", type=int, default=1800, help="tokens a micro-batch")
    a.add_argument("--rows", type=int, help="rows of 1,024 tokens a step, packed with cases, instead of --cases and --budget; for a GPU")
    a.add_argument("--copying", type=float, default=0.12, help="share of the time for the first part of the curriculum")
    a.add_argument("--last", type=float, default=0.7, help="share of the time from which mostly whole tasks are trained")
    a.add_argument("--rate", type=float, default=1.0, help="highest learning rate")
    a.add_argument("--seed", type=int, default=100)
    a.add_argument("--save", type=float, default=240, metavar="SECONDS", help="time between checkpoints, each with a look at held-out cases")
    a.add_argument("--no-compile", action="store_true", help="on a GPU: do not compile the layers")
    a.add_argument("--no-graph", action="store_true", help="on a GPU: start each kernel from Python")
    a.add_argument("--from", dest="start_file", metavar="GGUF", help="goes on from the weights and the tokenizer of this file, where WORK has no checkpoint")
    return a.parse_args()


def tokenizer_in(work, start_file):
    if start_file and not os.path.exists(work + "/tokenizer.json"):
        from evaluate_transformers import metadata, tokenizer_of
        os.makedirs(work, exist_ok=True)
        tokenizer_of(metadata(start_file)).backend_tokenizer.save(work + "/tokenizer.json")
    return Tokenizer.from_file(work + "/tokenizer.json")


def first_model(a):
    model = Model()
    if a.start_file:
        from export import dequantised
        from_published(model, dequantised(a.start_file, to_published(model)))
    else:
        induction(model)
    model.to(DEVICE)
    if DEVICE == "cuda" and not a.no_compile:
        model.compile_blocks()
    return model


class Run:
    """The model, its optimizer, and how far they are; all of it goes into WORK/checkpoint.pt."""

    def __init__(self, a):
        self.a, self.model = a, first_model(a)
        self.optimizer = Optimizer(self.model)
        self.step, self.start, self.seen, self.loss, self.graph = 0, time.time(), 0, None, None
        self.saved = a.work + "/checkpoint.pt"
        if os.path.exists(self.saved):
            state = torch.load(self.saved, map_location=DEVICE)
            self.model.load_state_dict(state["model"]), self.optimizer.restore(state["optimizer"])
            self.step, self.start, self.seen = state["step"], state["start"], state["seen"]
        # One thread an operation, and micro-batches side by side: nothing waits for a busy core but the end of a step.
        self.pool = ThreadPoolExecutor(a.threads if DEVICE == "cpu" else 1, initializer=torch.set_num_threads, initargs=(1,))

    def passed(self):
        """Share of the time that is over."""
        until = self.a.until or self.start + self.a.minutes * 60
        return (time.time() - self.start) / (until - self.start)

    def wanted(self):
        for seed in itertools.count(self.a.seed + self.step):
            x = self.passed()
            yield seed * 1000003, *((FIRST, 0.12) if x < self.a.copying else (THEN if x < self.a.last else LAST, 0.04))

    def advance(self, micro, total, tokens):
        """One step on micro-batches of `tokens` tokens."""
        a, x, batches = self.a, self.passed(), (tensors(m, DEVICE) for m in micro)
        if a.rows and DEVICE == "cuda" and not a.no_graph:
            batch = next(batches)
            self.graph = self.graph or Graph(self.model, batch)
            value = self.graph(batch)
        else:
            value = sum(self.pool.map(lambda batch: backward(self.model, batch, total), batches))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step(a.rate * rate(x), self.pool)
        for ffn in self.model.ffns:
            if hasattr(ffn, "balance"):
                ffn.balance(0.002 * a.rate * rate(x))
        if self.step == 0:
            self.start = time.time()                        # what was compiled and captured took none of the run's time
        self.step, self.seen = self.step + 1, self.seen + tokens
        self.loss = value if self.loss is None else 0.95 * self.loss + 0.05 * value

    def save(self):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state(), "step": self.step, "start": self.start, "seen": self.seen},
                   self.saved + ".new")
        os.replace(self.saved + ".new", self.saved)


def main():
    a = options()
    torch.manual_seed(0), torch.set_flush_denormal(True), torch.set_num_threads(1)
    tokenizer = tokenizer_in(a.work, a.start_file)
    looks = {world: {n: [encode(tokenizer, tasks.mixed(s, {n: 1})) for _ in range(60)] for n in THEN for s in [words.Source(1, world == "held out")]}
             for world in ("training", "held out")}
    run = Run(a)
    log = open(a.work + "/log.txt", "a", buffering=1)
    print(f"{sum(p.numel() for p in run.model.parameters())} parameters, step {run.step}", file=log)
    last, clock, shown = time.time(), time.time(), run.seen
    maker = Maker(tokenizer, a.cases, a.budget, a.rows and (a.rows, 1024))
    for made in ahead(maker, run.wanted(), a.threads if DEVICE == "cuda" else 0):
        run.advance(*made)
        x, now = run.passed(), time.time()
        if run.step % 25 == 0:
            speed = (run.seen - shown) / (now - clock)
            print(f"{time.strftime('%H:%M:%S')} step {run.step} time {x:.3f} seen {run.seen / 1e6:.2f}M loss {run.loss:.4f} {speed:.0f} tokens/s", file=log)
            clock, shown = now, run.seen
        if now - last > a.save or x >= 1:
            for world, cases in looks.items():
                print(f"{world}:", {n: round(exact(run.model, p), 3) for n, p in cases.items()}, file=log)
            run.save()
            last = clock = time.time()
            shown = run.seen
        if x >= 1:
            return


if __name__ == "__main__":
    main()
