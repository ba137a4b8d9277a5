"""Transposed convolution as PyTorch computes it. Writes torch_conv_transpose.json.

PyTorch knows symmetric padding only. Padding (before, after) crops so many elements from the ends of the unpadded
result; that is what its symmetric padding does too, which is asserted here wherever both exist.
"""

import torch
import torch.nn.functional as F

from golden import Case, describe, per_axis, write_family
from torch_geometry import SOURCE, sides

CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def conv_transpose(x, w, options, bias=None):
    rank = w.dim() - 2
    padding = options.get('padding', 0)
    rest = {
        'stride': options.get('stride', 1),
        'output_padding': options.get('outputPadding', 0),
        'dilation': options.get('dilation', 1),
        'groups': options.get('groups', 1),
    }
    y = CONV_TRANSPOSE[rank](x, w, bias, padding=0, **rest)
    for axis, (before, after) in enumerate(sides(padding, [1] * rank, [1] * rank), 2):
        y = y.narrow(axis, before, y.shape[axis] - before - after)
    if all(not isinstance(p, list) for p in per_axis(padding, rank)):
        assert torch.equal(y, CONV_TRANSPOSE[rank](x, w, bias, padding=padding, **rest))
    return y


def problem(input_shape, weight_shape, options=None, dtype='float32', bias=False, extra=''):
    options = dict(options or {})
    rank = len(weight_shape) - 2
    unbatched = len(input_shape) == rank + 1
    notes = [word for word in (extra, 'bias' if bias else '', 'unbatched' if unbatched else '') if word]
    activation = options.get('activation')
    if activation:
        notes.append(activation)
    id = describe(rank, weight_shape[2:], options, ' '.join(notes)) + ('' if dtype == 'float32' else ' f64')
    case = Case(id, f'convTranspose{rank}d', options, dtype)
    x = torch.tensor(case.draw('input', input_shape))
    w = torch.tensor(case.draw('weight', weight_shape))
    b = torch.tensor(case.draw('bias', [weight_shape[1] * options.get('groups', 1)])) if bias else None
    y = conv_transpose(x.unsqueeze(0) if unbatched else x, w, options, b)
    if activation == 'relu':
        y = F.relu(y)
    case.expect('output', (y.squeeze(0) if unbatched else y).numpy())
    return case


def one_dimensional():
    yield problem([2, 3, 7], [3, 4, 3])
    yield problem([2, 3, 7], [3, 4, 3], dtype='float64', bias=True)
    yield problem([3, 7], [3, 2, 4])
    yield problem([0, 3, 7], [3, 2, 4], extra='batch 0')
    yield problem([1, 2, 6], [2, 3, 1], {'stride': 2}, extra='pointwise')
    yield problem([1, 2, 1], [2, 3, 4], extra='input of one')
    for stride in (1, 2, 3):
        for dilation in (1, 2):
            yield problem([1, 2, 5], [2, 3, 4], {'stride': stride, 'dilation': dilation, 'padding': 2})
    yield problem([1, 2, 5], [2, 3, 3], {'stride': 3, 'outputPadding': 2})
    yield problem([1, 2, 5], [2, 3, 3], {'stride': 2, 'padding': 1, 'outputPadding': 1}, dtype='float64')
    yield problem([1, 2, 5], [2, 3, 3], {'stride': 1, 'dilation': 3, 'outputPadding': 2})
    yield problem([1, 2, 5], [2, 3, 4], {'stride': 2, 'padding': [[2, 0]]})
    yield problem([1, 2, 5], [2, 3, 4], {'stride': 2, 'padding': [[0, 3]], 'outputPadding': 1})
    yield problem([1, 4, 5], [4, 3, 3], {'groups': 2, 'stride': 2})
    yield problem([1, 3, 5], [3, 1, 3], {'groups': 3, 'padding': 1}, extra='depthwise')


def two_dimensional():
    yield problem([2, 3, 4, 5], [3, 4, 3, 3])
    yield problem([2, 3, 4, 5], [3, 4, 3, 3], dtype='float64')
    yield problem([2, 3, 4, 5], [3, 4, 3, 2], bias=True)
    yield problem([3, 4, 5], [3, 2, 3, 3], {'stride': 2})
    yield problem([0, 3, 4, 5], [3, 2, 3, 3], {'stride': 2}, extra='batch 0')
    yield problem([1, 3, 4, 5], [3, 2, 1, 1], extra='pointwise')
    yield problem([1, 3, 4, 5], [3, 2, 1, 1], {'stride': [2, 3]}, extra='pointwise', bias=True)
    yield problem([1, 3, 1, 1], [3, 2, 4, 3], extra='input of one')
    yield problem([1, 2, 3, 3], [2, 2, 3, 3], {'padding': 2}, extra='output of one')
    for stride in (2, 3, [1, 2], [3, 1]):
        for padding in (0, 1, [0, 2]):
            yield problem([1, 2, 4, 3], [2, 3, 3, 3], {'stride': stride, 'padding': padding})
    yield problem([1, 2, 4, 3], [2, 2, 2, 2], {'stride': 3}, extra='stride over kernel')
    yield problem([1, 2, 4, 3], [2, 2, 2, 2], {'stride': 3, 'outputPadding': 1}, extra='stride over kernel', bias=True)
    for output_padding in (1, [0, 1], [1, 0]):
        yield problem([1, 2, 4, 3], [2, 3, 3, 3], {'stride': 2, 'padding': 1, 'outputPadding': output_padding})
        yield problem([1, 2, 4, 3], [2, 3, 3, 2], {'stride': [2, 3], 'padding': [1, 0], 'outputPadding': output_padding, 'dilation': 2}, dtype='float64')
    for dilation in (2, [1, 3], [2, 1]):
        yield problem([1, 2, 4, 3], [2, 3, 3, 2], {'dilation': dilation})
        yield problem([1, 2, 4, 3], [2, 3, 3, 2], {'dilation': dilation, 'stride': 2, 'padding': [1, 0]}, bias=True)
    yield problem([1, 2, 4, 3], [2, 3, 3, 3], {'stride': 2, 'padding': [[1, 0], [0, 2]]})
    yield problem([1, 2, 4, 3], [2, 3, 3, 3], {'stride': 2, 'padding': [[2, 1], [1, 0]], 'outputPadding': [1, 0]}, bias=True)
    for groups, ic, per_group in ((2, 4, 2), (2, 4, 3), (3, 3, 2)):
        yield problem([2, ic, 4, 3], [ic, per_group, 3, 3], {'groups': groups, 'stride': 2, 'padding': 1}, bias=True, extra=f'{ic} to {groups * per_group}')
    yield problem([1, 5, 4, 3], [5, 1, 3, 3], {'groups': 5, 'stride': 2, 'outputPadding': 1, 'padding': 1}, extra='depthwise')
    yield problem([1, 2, 4, 3], [2, 3, 3, 3], {'stride': 2, 'activation': 'relu'}, bias=True)
    yield problem([1, 17, 6, 7], [17, 18, 3, 3], {'stride': 2, 'padding': 1, 'outputPadding': 1}, extra='past one tile of channels')


def three_dimensional():
    yield problem([2, 2, 3, 2, 3], [2, 3, 2, 3, 2])
    yield problem([1, 2, 3, 2, 3], [2, 3, 2, 3, 2], {'stride': [2, 1, 3]}, dtype='float64', bias=True)
    yield problem([2, 3, 2, 3], [2, 3, 2, 3, 2], {'stride': 2, 'padding': [0, 1, 1]})
    yield problem([1, 2, 3, 2, 2], [2, 2, 3, 2, 2], {'stride': 2, 'padding': 1, 'outputPadding': [1, 0, 1], 'dilation': [1, 2, 1]})
    yield problem([1, 2, 3, 2, 2], [2, 2, 2, 2, 2], {'padding': [[1, 0], [0, 1], [1, 1]], 'stride': 2})
    yield problem([1, 4, 3, 2, 2], [4, 1, 2, 2, 2], {'groups': 2, 'dilation': 2})


write_family('torch_conv_transpose', SOURCE, [*one_dimensional(), *two_dimensional(), *three_dimensional()])
