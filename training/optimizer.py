"""Muon for matrices, Adam for the rest: on tiny models this needs about half the tokens that Adam alone needs."""
import torch


def orthogonal(g, steps=4):
    """Newton-Schulz iteration: the nearest (semi-)orthogonal matrices, roughly; works on stacks [..., rows, columns]."""
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


class Optimizer:
    """`lr` scales both parts: 1 is the full rate."""

    def __init__(self, model, muon_rate=0.02, adam_rate=3e-3, decay=0.02):
        named = dict(model.named_parameters())
        self.matrices = [p for n, p in named.items() if p.dim() >= 2 and not n.endswith(("embed", "gate", "kernel"))]
        ids = {id(p) for p in self.matrices}
        self.rest = [p for p in named.values() if id(p) not in ids]
        self.momentum = [torch.zeros_like(p) for p in self.matrices]
        self.muon_rate, self.adam_rate, self.decay = muon_rate, adam_rate, decay
        self.adam = torch.optim.AdamW(self.rest, lr=adam_rate, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0, fused=True)

    @torch.no_grad()
    def muon(self, p, m, rate):
        m.lerp_(p.grad, 0.05)
        update = orthogonal(p.grad.lerp(m, 0.95))
        p.mul_(1 - rate * self.decay)
        p.add_(update, alpha=-rate * max(1.0, p.shape[-2] / p.shape[-1]) ** 0.5)

    @torch.no_grad()
    def step(self, lr, pool):
        """One step; `pool` is an executor whose threads share the matrices."""
        list(pool.map(lambda pm: self.muon(*pm, lr * self.muon_rate), zip(self.matrices, self.momentum)))
        for group in self.adam.param_groups:
            group["lr"] = lr * self.adam_rate
        self.adam.step()
        for p in self.matrices + self.rest:
            p.grad = None

    def state(self):
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def restore(self, state):
        for m, saved in zip(self.momentum, state["momentum"]):
            m.copy_(saved)
        self.adam.load_state_dict(state["adam"])
