"""A start that can already copy: an induction head written into the weights of a fresh model.

All embeddings share a constant coordinate, which makes the gates of the first convolution constant: it hands every position the embedding of its
predecessor, rotated by R. In the first attention layer, two heads then look for positions whose predecessor is the current token and add what stands
there to the stream. Training is free to change all of it; it only saves the thousands of steps in which such heads form by themselves.
"""
import torch


def orthogonal(n):
    return torch.linalg.qr(torch.randn(n, n)).Q


@torch.no_grad()
def induction(model):
    h, constant = model.c["hidden_size"], model.c["hidden_size"] - 1
    model.embed[:, constant] = 0.36
    turn = orthogonal(h)
    turn[constant] = turn[:, constant] = 0.0
    conv, attention = model.mixers[0], model.mixers[1]
    gates = conv.in_proj[:2 * h]
    gates.mul_(0.2)
    gates[:, constant] = 0.14                                     # about 1 after the norm
    conv.in_proj[2 * h:] = torch.eye(h) + 0.02 * torch.randn(h, h)
    conv.kernel.mul_(0.2)
    conv.kernel[:, 1] = 1.0                                       # the predecessor
    conv.out_proj.copy_(0.045 * turn)
    d, group = attention.d, attention.heads // attention.kv
    values = orthogonal(h)
    values[:, constant] = 0.0
    slow = [i for i in range(d) if i % (d // 2) >= 5]             # coordinates that rotate slowly: their match is felt at any distance
    for g in range(attention.kv):
        seek = torch.zeros(d, h)
        seek[slow] = orthogonal(h)[:len(slow)]
        seek[:, constant] = 0.0
        attention.q[g * group * d:(g * group + 1) * d] = seek + 0.01 * torch.randn(d, h)
        attention.k[g * d:(g + 1) * d] = seek @ turn.T + 0.01 * torch.randn(d, h)
        attention.v[g * d:(g + 1) * d] = values[g * d:(g + 1) * d]
        attention.out[:, g * group * d:(g * group + 1) * d] = 0.45 * values[g * d:(g + 1) * d].T
    attention.q_norm.fill_(2.8), attention.k_norm.fill_(2.8)
