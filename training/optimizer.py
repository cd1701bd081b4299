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
        self.groups = {}                                            # matrices of one shape take their step together
        for p, m in zip(self.matrices, self.momentum):
            self.groups.setdefault(p.shape[-2:], []).append((p, m))

    @torch.no_grad()
    def muon(self, group, rate):
        """One step of the (stacks of) matrices of one shape."""
        for p, m in group:
            m.lerp_(p.grad, 0.05)
        updates = orthogonal(torch.cat([p.grad.lerp(m, 0.95).view(-1, *p.shape[-2:]) for p, m in group]))
        for (p, _), update in zip(group, updates.split([p[..., 0, 0].numel() for p, _ in group])):
            p.mul_(1 - rate * self.decay)
            p.add_(update.view_as(p), alpha=-rate * max(1.0, p.shape[-2] / p.shape[-1]) ** 0.5)

    @torch.no_grad()
    def step(self, lr, pool):
        """One step; `pool` is an executor whose threads share the matrices."""
        list(pool.map(lambda group: self.muon(group, lr * self.muon_rate), self.groups.values()))
        for group in self.adam.param_groups:
            group["lr"] = lr * self.adam_rate
        self.adam.step()
        torch._foreach_zero_([p.grad for p in self.matrices + self.rest])

    def state(self):
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def restore(self, state):
        for m, saved in zip(self.momentum, state["momentum"]):
            m.copy_(saved)
        self.adam.load_state_dict(state["adam"])
