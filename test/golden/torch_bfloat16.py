"""Convolution and products of operands rounded to bfloat16, which PyTorch rounds: float64 sums. Writes torch_bfloat16.json."""

import numpy as np
import torch
import torch.nn.functional as F

from golden import Case, describe, write_family
from torch_geometry import SOURCE, conv

LEAST_NORMAL = 2.0**-126


def rounded(values):
    """The nearest bfloat16, halves to even; what is below the least normal number, a zero of the sign."""
    exact = torch.tensor(np.asarray(values, dtype=np.float32))
    return torch.where(exact.abs() < LEAST_NORMAL, exact * 0, exact.bfloat16().float()).double()


def finish(case, y):
    if case.args.get('activation') == 'relu':
        y = F.relu(y)
    case.args['precision'] = 'bf16'
    case.expect('output', y.numpy())
    return case


def problem(input_shape, weight_shape, options=None, bias=False, extra=''):
    options = dict(options or {})
    rank = len(weight_shape) - 2
    notes = ' '.join(word for word in (extra, 'bias' if bias else '', options.get('activation', '')) if word)
    id = f'{describe(rank, weight_shape[2:], options, notes)} {weight_shape[1]} to {weight_shape[0]}'
    case = Case(id, f'conv{rank}d', options)
    x, w = rounded(case.draw('input', input_shape)), rounded(case.draw('weight', weight_shape))
    b = torch.tensor(case.draw('bias', [weight_shape[0]])) if bias else None
    return finish(case, conv(x, w, options, b))


def convolutions():
    yield problem([2, 3, 17], [5, 3, 3], {'padding': 1})
    yield problem([1, 33, 11], [5, 33, 4], {'stride': 2, 'padding': 1}, bias=True)
    yield problem([1, 3, 9, 8], [4, 3, 3, 3], {'padding': 1})
    yield problem([2, 32, 4, 5], [16, 32, 1, 1])
    yield problem([1, 35, 5, 7], [33, 35, 1, 1], {'activation': 'relu'}, bias=True)
    yield problem([1, 33, 4, 5], [17, 33, 2, 2], {'padding': 1}, bias=True)
    yield problem([1, 32, 5, 4], [3, 32, 3, 3], {'padding': 1, 'stride': 2, 'activation': 'relu'})
    yield problem([1, 34, 4, 5], [2, 34, 3, 3], {'padding': 2, 'dilation': 2})
    yield problem([1, 66, 3, 4], [4, 33, 3, 3], {'padding': 1, 'groups': 2}, bias=True)
    yield problem([1, 32, 7, 5], [3, 32, 2, 2], {'stride': 3, 'dilation': 2, 'padding': 1})
    yield problem([1, 6, 8, 9], [6, 1, 3, 3], {'padding': 1, 'groups': 6}, extra='depthwise')
    for mode in ('circular', 'reflect', 'replicate'):
        yield problem([1, 4, 5, 4], [3, 4, 3, 3], {'padding': 1, 'paddingMode': mode})
    yield problem([1, 2, 4, 5, 3], [3, 2, 2, 3, 2], {'padding': 1}, bias=True)
    yield problem([1, 32, 3, 4, 3], [3, 32, 2, 2, 2], {'padding': 1})
    yield problem([0, 3, 7, 6], [4, 3, 3, 3], extra='batch 0')


def products():
    for m, k, n in ((1, 1, 1), (2, 3, 4), (16, 32, 16), (17, 33, 19), (17, 65, 18), (3, 0, 2)):
        case = Case(f'matmul {m} by {k} by {n}', 'matmul')
        yield finish(case, rounded(case.draw('a', [m, k])) @ rounded(case.draw('b', [k, n])))


def roundings():
    """Each value times one: ties to both sides, values that overflow when they are rounded, subnormal ones, NaN."""
    values = np.array(
        [
            *(0x3F800000, 0x3F808000, 0x3F808001, 0x3F818000, 0x3F817FFF, 0x3F87FFFF, 0xBF808000, 0xBF818000),
            *(0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001),
            *(0x7FFFFFFF, 0xFFFFFFFF, 0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x00008000, 0x007F0000),
            *(0x007F7FFF, 0x007F8000, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80800000, 0x00808000, 0x00810000),
        ],
        dtype=np.uint32,
    ).view(np.float32)
    case = Case('matmul of values that round in every way', 'matmul')
    case.give('a', values.reshape(-1, 1))
    case.give('b', np.ones([1, 1]))
    yield finish(case, rounded(values.reshape(-1, 1)))


write_family('torch_bfloat16', SOURCE, [*convolutions(), *products(), *roundings()])
