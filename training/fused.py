"""Three pieces of the model with hand-written gradients: on a CPU they need half the passes over memory that autograd's chains need.

`rms`, `gated_conv` and `swiglu` take them on a CPU; on an accelerator they are plain formulas, which its compiler fuses by itself.
"""
import torch
import torch.nn.functional as F


def rms(x, weight, eps=1e-5):
    """x * weight / sqrt(mean(x^2) + eps) over the last dimension."""
    if not x.is_cuda:
        return Rms.apply(x, weight, eps)
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def gated_conv(bcx, kernel):
    """bcx [n, t, 3h] -> C * conv(B * X), causal, depthwise; the last column of kernel [h, k] is the current token's."""
    if not bcx.is_cuda:
        return GatedConv.apply(bcx, kernel)
    b, c, x = bcx.chunk(3, -1)
    u, k = b * x, kernel.shape[1]
    return c * sum(F.pad(u, (0, 0, back, -back) if back else (0, 0)) * kernel[:, k - 1 - back] for back in range(k))


def swiglu(h):
    """h [..., 2f] -> silu(first half) * second half."""
    if not h.is_cuda:
        return SwiGlu.apply(h)
    a, b = h.chunk(2, -1)
    return F.silu(a) * b


class Rms(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps):
        r = torch.rsqrt(torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps))
        n = x * r
        ctx.save_for_backward(n, r, weight)
        return n * weight

    @staticmethod
    def backward(ctx, g):
        n, r, weight = ctx.saved_tensors
        p = g * n
        gw = p.flatten(0, -2).sum(0)
        mean = (p @ weight).div_(n.shape[-1]).unsqueeze(-1)
        return (g * weight).addcmul_(n, mean, value=-1).mul_(r), gw, None


class GatedConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, bcx, kernel):
        b, c, x = bcx.chunk(3, -1)
        u, k = b * x, kernel.shape[1]
        y = u * kernel[:, k - 1]
        for back in range(1, k):
            y[:, back:].addcmul_(u[:, :-back], kernel[:, k - 1 - back])
        ctx.save_for_backward(bcx, kernel, u, y)
        return c * y

    @staticmethod
    def backward(ctx, g):
        bcx, kernel, u, y = ctx.saved_tensors
        b, c, x = bcx.chunk(3, -1)
        k, out = kernel.shape[1], torch.empty_like(bcx)
        gb, gc, gx = out.chunk(3, -1)
        torch.mul(g, y, out=gc)
        gy = g * c
        gu = gy * kernel[:, k - 1]
        gk = [(gy * u).sum((0, 1))]
        for back in range(1, k):
            gu[:, :-back].addcmul_(gy[:, back:], kernel[:, k - 1 - back])
            gk.insert(0, (gy[:, back:] * u[:, :-back]).sum((0, 1)))
        torch.mul(gu, x, out=gb), torch.mul(gu, b, out=gx)
        return out, torch.stack(gk, -1)


class SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h)
        a, b = h.chunk(2, -1)
        return F.silu(a).mul_(b)

    @staticmethod
    def backward(ctx, g):
        h, = ctx.saved_tensors
        a, b = h.chunk(2, -1)
        out = torch.empty_like(h)
        ga, gb = out.chunk(2, -1)
        s = torch.sigmoid(a)
        silu = a * s
        torch.mul(g, silu, out=gb)
        ga.copy_(s.addcmul_(silu, 1 - s)).mul_(b).mul_(g)      # silu' = s + a s (1 - s)
        return out
