"""Gradients of convolution as PyTorch's autograd computes them, through the padding too. Writes torch_conv_grads.json."""

import torch

from golden import Case, describe, write_family
from torch_geometry import SOURCE, conv


def problem(input_shape, weight_shape, options=None, dtype='float32', extra=''):
    options = dict(options or {})
    rank = len(weight_shape) - 2
    unbatched = len(input_shape) == rank + 1
    notes = ' '.join(word for word in (extra, 'unbatched' if unbatched else '') if word)
    id = describe(rank, weight_shape[2:], options, notes) + ('' if dtype == 'float32' else ' f64')
    case = Case(id, f'conv{rank}d', options, dtype)
    x = torch.tensor(case.draw('input', input_shape), requires_grad=True)
    w = torch.tensor(case.draw('weight', weight_shape), requires_grad=True)
    b = torch.zeros(weight_shape[0], dtype=torch.float64, requires_grad=True)
    y = conv(x.unsqueeze(0) if unbatched else x, w, options, b)
    y = y.squeeze(0) if unbatched else y
    y.backward(torch.tensor(case.draw('gradOutput', list(y.shape))))
    case.expect('input', x.grad.numpy())
    case.expect('weight', w.grad.numpy())
    case.expect('bias', b.grad.numpy())
    return case


MODES = ('zeros', 'circular', 'reflect', 'replicate')


def one_dimensional():
    yield problem([2, 3, 8], [4, 3, 3])
    yield problem([2, 3, 8], [4, 3, 3], dtype='float64')
    yield problem([3, 8], [4, 3, 3], {'padding': 1})
    yield problem([0, 3, 8], [4, 3, 3], extra='batch 0')
    yield problem([1, 2, 9], [3, 2, 1], {'stride': 2}, extra='pointwise')
    for stride in (1, 2, 3):
        for dilation in (1, 2):
            yield problem([1, 2, 11], [3, 2, 3], {'stride': stride, 'dilation': dilation, 'padding': 2})
    yield problem([1, 4, 7], [6, 2, 3], {'groups': 2, 'stride': 2, 'padding': [[0, 1]]})
    yield problem([1, 2, 6], [2, 2, 4], {'padding': 'same'})
    for mode in MODES:
        yield problem([2, 2, 6], [3, 2, 3], {'padding': 2, 'paddingMode': mode})
        yield problem([1, 2, 7], [3, 2, 4], {'padding': [[3, 1]], 'paddingMode': mode, 'stride': 2}, dtype='float64')


def two_dimensional():
    yield problem([2, 3, 5, 6], [4, 3, 3, 3])
    yield problem([2, 3, 5, 6], [4, 3, 3, 2], {'padding': 1}, dtype='float64')
    yield problem([3, 5, 6], [4, 3, 3, 3], {'padding': 1})
    yield problem([0, 3, 5, 6], [4, 3, 3, 3], {'padding': 1}, extra='batch 0')
    yield problem([2, 5, 3, 4], [4, 5, 1, 1], extra='pointwise')
    yield problem([1, 5, 5, 4], [4, 5, 1, 1], {'stride': 2}, extra='pointwise')
    yield problem([1, 3, 4, 5], [3, 3, 4, 5], extra='output of one')
    yield problem([1, 2, 2, 3], [2, 2, 4, 5], {'padding': [1, 2]}, extra='kernel larger than input')
    for stride in (2, 3, [2, 1]):
        yield problem([1, 2, 7, 6], [3, 2, 3, 3], {'stride': stride})
        yield problem([1, 2, 7, 6], [3, 2, 3, 3], {'stride': stride, 'padding': 1})
    yield problem([1, 2, 8, 8], [2, 2, 2, 2], {'stride': 3}, extra='stride over kernel')
    yield problem([1, 2, 7, 8], [2, 2, 2, 2], {'stride': 3}, extra='rest untouched')
    for dilation in (2, [1, 3]):
        yield problem([1, 2, 7, 8], [2, 2, 3, 2], {'dilation': dilation})
        yield problem([1, 2, 7, 8], [2, 2, 3, 2], {'dilation': dilation, 'stride': [2, 1], 'padding': [2, 1]}, dtype='float64')
    for padding in ([0, 1], [[0, 1], [2, 0]], 'same'):
        yield problem([1, 2, 5, 4], [3, 2, 2, 3], {'padding': padding})
    for mode in MODES:
        yield problem([2, 2, 5, 4], [3, 2, 3, 3], {'padding': 1, 'paddingMode': mode})
        yield problem([1, 2, 5, 4], [2, 2, 3, 2], {'padding': [[0, 2], [3, 1]], 'paddingMode': mode})
        yield problem([1, 2, 6, 5], [2, 2, 3, 3], {'padding': [4, 2], 'paddingMode': mode, 'stride': [2, 3], 'dilation': [1, 2]}, dtype='float64')
        yield problem([1, 4, 5, 4], [4, 2, 3, 3], {'padding': 1, 'paddingMode': mode, 'groups': 2})
        yield problem([2, 5, 4], [3, 2, 2, 3], {'padding': 'same', 'paddingMode': mode})
    yield problem([1, 2, 3, 4], [2, 2, 3, 3], {'padding': [3, 4], 'paddingMode': 'circular'}, extra='whole turn')
    yield problem([1, 2, 2, 1], [2, 2, 3, 3], {'padding': [4, 5], 'paddingMode': 'replicate'}, extra='wide margin')
    for groups, ic, oc in ((2, 4, 6), (3, 6, 3)):
        yield problem([2, ic, 5, 4], [oc, ic // groups, 3, 3], {'groups': groups, 'padding': 1}, extra=f'{ic} to {oc}')
    yield problem([2, 5, 6, 7], [5, 1, 3, 3], {'groups': 5, 'padding': 1}, extra='depthwise')
    yield problem([1, 5, 6, 7], [5, 1, 3, 3], {'groups': 5, 'padding': 1, 'stride': 2}, extra='depthwise')
    yield problem([1, 3, 7, 7], [6, 1, 3, 3], {'groups': 3, 'dilation': 2}, extra='depthwise, multiplier 2', dtype='float64')
    yield problem([1, 17, 6, 7], [18, 17, 3, 3], {'padding': 1}, extra='past one tile of channels')


def three_dimensional():
    yield problem([2, 2, 4, 3, 3], [3, 2, 2, 3, 2])
    yield problem([1, 2, 4, 4, 5], [2, 2, 3, 2, 3], {'stride': [2, 1, 3], 'padding': [1, 0, 2]}, dtype='float64')
    yield problem([2, 4, 3, 4], [2, 2, 2, 2, 2], {'dilation': [2, 1, 2]})
    yield problem([1, 4, 3, 3, 4], [4, 2, 2, 2, 2], {'groups': 2, 'padding': 1})
    for mode in MODES:
        yield problem([1, 1, 3, 4, 3], [2, 1, 3, 2, 2], {'padding': [[1, 2], [0, 1], [2, 0]], 'paddingMode': mode})


write_family('torch_conv_grads', SOURCE, [*one_dimensional(), *two_dimensional(), *three_dimensional()])
