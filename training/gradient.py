"""Loss and gradients of a batch, and how many answers are exact."""
import numpy as np
import torch
import torch.nn.functional as F

from batches import micro_batches, padded, tensors

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


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


def backward(model, batch, total=1.0):
    """Adds the gradients of a batch (tensors as `padded` and `packed` order them); from several threads at once, if wanted. The loss."""
    *inputs, target, weight = batch
    loss = (F.cross_entropy(answers(model, *inputs), target, reduction="none") * weight).sum() / total
    loss.backward()
    return loss.detach()


class Graph:
    """`backward` for batches of one fixed shape, captured once as a CUDA graph: no Python between its kernels. Gradients are overwritten, not added."""

    def __init__(self, model, batch):
        self.batch = batch
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                backward(model, self.batch)
                model.zero_grad(set_to_none=True)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = backward(model, self.batch)

    def __call__(self, batch):
        for own, new in zip(self.batch, batch):
            own.copy_(new)
        self.graph.replay()
        return self.loss.clone()
