"""Cases as padded micro-batches, made in this process or by others beside it."""
import multiprocessing
import threading

import numpy as np
import torch

import tasks
import words

END = 7


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
    """Encoded cases in lists of about `budget` padded tokens, short ones together."""
    batch = []
    for c in sorted(cases, key=lambda c: len(c[0])):
        if batch and (len(batch) + 1) * len(c[0]) > budget:
            yield batch
            batch = []
        batch.append(c)
    yield batch


def padded(batch, prompt_share, rng):
    """ids, None, and for each predicted position its flat index, target and weight. Of the prompts only a sample is predicted."""
    width = len(batch[-1][0]) - 1
    ids = np.zeros((len(batch), width), np.int32)
    where, target, weight = [], [], []
    for i, (seq, w) in enumerate(batch):
        seq, w = np.array(seq, np.int32), np.array(w[1:], np.float32)
        ids[i, :len(seq) - 1] = seq[:-1]
        keep = (w > 0) | (rng.random(len(w)) < prompt_share)
        where.append(keep.nonzero()[0] + i * width), target.append(seq[1:][keep])
        weight.append(np.where(w > 0, w, np.float32(0.5))[keep])
    return ids, None, np.concatenate(where), np.concatenate(target), np.concatenate(weight)


def packed(cases, shape, prompt_share, rng):
    """The cases side by side in rows of one fixed shape: ids, the number of each token's case, and a fixed number of predicted positions.

    Cases have two tokens of padding before them; what finds no room is left out. The weights' sum is 1 but for the prompts' share.
    """
    rows, width = shape
    ids, number, weight = (np.zeros(shape, t) for t in (np.int32, np.int32, np.float32))
    used, count = np.zeros(rows, int), np.zeros(rows, int)
    for seq, w in sorted(cases, key=lambda c: -len(c[0])):
        row = int(np.argmin(used))
        if used[row] + 2 + len(seq) > width:
            fit = (used + 2 + len(seq) <= width).nonzero()[0]
            if not len(fit):
                continue
            row = fit[0]
        a = used[row] + 2
        used[row], count[row] = a + len(seq), count[row] + 1
        ids[row, a:a + len(seq)], number[row, a:a + len(seq)], weight[row, a:a + len(seq)] = seq, count[row], w
    weight = np.roll(weight, -1, 1)               # of predicting the next token
    weight[:, -1] = 0
    inner = (number[:, :-1] == number[:, 1:]) & (number[:, 1:] > 0) & (weight[:, :-1] == 0) & (rng.random((rows, width - 1)) < prompt_share)
    total = weight.sum()
    weight[:, :-1][inner] = 0.5
    where, room = weight.reshape(-1).nonzero()[0], rows * width * 3 // 8
    where = np.sort(rng.permutation(where)[:room])
    values = weight.reshape(-1)[where] / total
    pad = room - len(where)
    return ids, number, np.pad(where, (0, pad)), np.pad(ids.reshape(-1)[where + 1], (0, pad)), np.pad(values, (0, pad))


def tensors(arrays, device):
    return [a if a is None else torch.from_numpy(a).to(device).to(torch.float32 if a.dtype.kind == "f" else torch.int64) for a in arrays]


class Maker:
    """Makes the cases of one step from its number; the same in every process.

    With `shape` they fill rows of that shape (`packed`), else `cases` of them come as micro-batches of about `budget` tokens.
    """

    def __init__(self, tokenizer, cases, budget, shape=None):
        self.tokenizer, self.cases, self.budget, self.shape = tokenizer, cases, budget, shape

    def __call__(self, wanted):
        """(seed, mixture, share of the prompts' tokens that are predicted) -> (micro-batches as arrays, sum of weights, tokens)"""
        seed, mixture, share = wanted
        source, rng, cases, tokens = words.Source(seed), np.random.default_rng(seed), [], 0
        full = lambda: tokens > 0.96 * self.shape[0] * self.shape[1] if self.shape else len(cases) == self.cases
        while not full():                         # several answers share one system prompt
            case = encode(self.tokenizer, tasks.mixed(source, mixture, source.one([2, 3, 4, 5, 6, 7])))
            if not self.shape or len(case[0]) + 2 <= self.shape[1]:
                cases.append(case)
                tokens += len(case[0]) + 2 * bool(self.shape)
        if self.shape:
            arrays = packed(cases, self.shape, share, rng)
            return [arrays], 1.0, int((arrays[1] > 0).sum())
        return [padded(b, share, rng) for b in micro_batches(cases, self.budget)][::-1], sum(sum(w) for _, w in cases), tokens


def ahead(maker, wanted, workers, depth=4):
    """maker(w) for every w of the endless `wanted`, in order, made by `workers` other processes (0: by this one), `depth` steps a worker ahead."""
    if not workers:
        yield from map(maker, wanted)
        return
    room, ended = threading.Semaphore(workers * depth), threading.Event()

    def limited():
        for w in wanted:
            room.acquire()
            if ended.is_set():
                return
            yield w

    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        try:
            for made in pool.imap(maker, limited()):
                room.release()
                yield made
        finally:
            ended.set()
            room.release()                        # the pool waits for its feeder, which waits for room
