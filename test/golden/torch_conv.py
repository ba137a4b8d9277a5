"""Convolution as PyTorch computes it: conv1d, conv2d, conv3d for every geometry. Writes torch_conv.json."""

import warnings

import numpy as np
import torch
import torch.nn.functional as F

from golden import Case, describe, write_family
from torch_geometry import CONV, SOURCE, conv

warnings.filterwarnings('ignore', message="Using padding='same'")

ACTIVATIONS = {
    'none': lambda y: y,
    'relu': F.relu,
    'relu6': F.relu6,
}


def activate(y, activation):
    if isinstance(activation, dict):
        return torch.clamp(y, *activation['clip'])
    return ACTIVATIONS[activation](y)


def problem(input_shape, weight_shape, options=None, dtype='float32', bias=False, extra=''):
    """input_shape: [N, C, …], or [C, …] when its length says so."""
    options = dict(options or {})
    rank = len(weight_shape) - 2
    unbatched = len(input_shape) == rank + 1
    notes = [word for word in (extra, 'bias' if bias else '', 'unbatched' if unbatched else '') if word]
    if 'activation' in options:
        activation = options['activation']
        notes.append(activation if isinstance(activation, str) else 'clip')
    id = describe(rank, weight_shape[2:], options, ' '.join(notes)) + ('' if dtype == 'float32' else ' f64')
    case = Case(id, f'conv{rank}d', options, dtype)
    x = torch.tensor(case.draw('input', input_shape))
    w = torch.tensor(case.draw('weight', weight_shape))
    b = torch.tensor(case.draw('bias', [weight_shape[0]])) if bias else None
    batched = x.unsqueeze(0) if unbatched else x
    y = conv(batched, w, options, b)
    y = activate(y, options.get('activation', 'none'))
    if options.get('padding') == 'same' and options.get('paddingMode', 'zeros') == 'zeros':
        # torch has 'same' itself: the form with explicit padding must be the same thing.
        direct = CONV[rank](batched, w, b, padding='same', dilation=options.get('dilation', 1), groups=options.get('groups', 1))
        assert torch.equal(activate(direct, options.get('activation', 'none')), y)
    case.expect('output', (y.squeeze(0) if unbatched else y).numpy())
    return case


MODES = ('zeros', 'circular', 'reflect', 'replicate')


def one_dimensional():
    yield problem([2, 3, 11], [4, 3, 3])
    yield problem([2, 3, 11], [4, 3, 3], dtype='float64')
    yield problem([2, 3, 11], [4, 3, 3], bias=True)
    yield problem([1, 1, 17], [1, 1, 5], extra='one channel')
    yield problem([1, 2, 9], [3, 2, 1], extra='pointwise')
    yield problem([1, 2, 9], [3, 2, 1], {'stride': 3}, extra='pointwise')
    yield problem([1, 2, 4], [3, 2, 4], extra='output of one')
    yield problem([1, 2, 2], [3, 2, 5], {'padding': 2}, extra='kernel wider than input')
    yield problem([1, 2, 1], [2, 2, 3], {'padding': 1}, extra='input of one')
    yield problem([3, 9], [2, 3, 4])
    yield problem([0, 3, 9], [2, 3, 4], extra='batch 0')
    yield problem([1, 1, 40], [1, 1, 33], {'padding': 16}, extra='long filter')
    for stride in (1, 2, 3):
        for dilation in (1, 2, 3):
            yield problem([1, 2, 16], [3, 2, 4], {'stride': stride, 'dilation': dilation, 'padding': 3})
    for k, d in ((2, 1), (3, 1), (4, 2), (6, 3)):
        yield problem([1, 2, 12], [2, 2, k], {'padding': 'same', 'dilation': d})
    yield problem([1, 2, 8], [2, 2, 3], {'padding': 'valid'})
    for mode in MODES:
        yield problem([2, 2, 7], [3, 2, 3], {'padding': 2, 'paddingMode': mode})
        yield problem([1, 2, 7], [3, 2, 4], {'padding': [[3, 1]], 'paddingMode': mode, 'stride': 2})
        yield problem([1, 2, 9], [3, 2, 4], {'padding': 'same', 'paddingMode': mode, 'dilation': 2})
        yield problem([1, 2, 5], [2, 2, 3], {'padding': [[0, 4]], 'paddingMode': mode, 'dilation': 2}, dtype='float64')
    yield problem([1, 2, 5], [3, 2, 3], {'padding': 5, 'paddingMode': 'circular'}, extra='whole turn')
    yield problem([1, 2, 3], [3, 2, 3], {'padding': 7, 'paddingMode': 'replicate'}, extra='wide margin')
    for groups, channels in ((2, 4), (3, 3), (4, 8)):
        yield problem([1, channels, 10], [channels * 2, channels // groups, 3], {'groups': groups, 'padding': 1})
    for activation in ('none', 'relu', 'relu6', {'clip': [-1.5, 2.25]}):
        yield problem([1, 2, 10], [3, 2, 3], {'activation': activation}, bias=True)


def two_dimensional():
    yield problem([2, 3, 7, 6], [4, 3, 3, 3])
    yield problem([2, 3, 7, 6], [4, 3, 3, 3], dtype='float64')
    yield problem([2, 3, 7, 6], [4, 3, 3, 3], bias=True)
    yield problem([3, 7, 6], [4, 3, 3, 2], bias=True)
    yield problem([0, 3, 7, 6], [4, 3, 3, 3], extra='batch 0')
    yield problem([0, 3, 7, 6], [4, 3, 3, 3], {'padding': 1, 'stride': 2}, bias=True, extra='batch 0')
    yield problem([1, 1, 3, 3], [1, 1, 2, 2], extra='the textbook image')
    yield problem([1, 1, 3, 3], [1, 1, 1, 1], extra='scalar kernel')
    yield problem([2, 5, 4, 5], [6, 5, 1, 1], extra='pointwise')
    yield problem([2, 5, 4, 5], [6, 5, 1, 1], extra='pointwise', dtype='float64', bias=True)
    yield problem([1, 5, 5, 6], [6, 5, 1, 1], {'stride': 2}, extra='pointwise')
    yield problem([1, 5, 3, 4], [2, 5, 1, 1], {'padding': 1}, extra='pointwise', bias=True)
    yield problem([1, 4, 4, 5], [4, 2, 1, 1], {'groups': 2}, extra='pointwise')
    yield problem([1, 3, 4, 5], [3, 3, 4, 5], extra='output of one')
    yield problem([2, 3, 1, 1], [4, 3, 1, 1], extra='all of one')
    yield problem([1, 2, 2, 3], [2, 2, 4, 5], {'padding': [1, 2]}, extra='kernel larger than input')
    yield problem([1, 2, 1, 1], [2, 2, 3, 3], {'padding': 1}, extra='input of one')
    yield problem([1, 2, 2, 2], [2, 2, 3, 3], {'padding': 6, 'stride': 5}, extra='margins only')
    yield problem([1, 1, 9, 9], [1, 1, 7, 7], {'padding': 3}, extra='one channel')
    yield problem([1, 3, 1, 12], [4, 3, 1, 5], {'padding': [0, 2]}, extra='flat')
    yield problem([1, 3, 12, 1], [4, 3, 5, 1], {'padding': [2, 0]}, extra='tall')
    for stride in (2, 3, [2, 1], [1, 3], [3, 2]):
        yield problem([1, 3, 9, 8], [2, 3, 3, 3], {'stride': stride})
        yield problem([1, 3, 9, 8], [2, 3, 3, 3], {'stride': stride, 'padding': 1})
    yield problem([1, 2, 5, 6], [2, 2, 2, 2], {'stride': 3}, extra='stride over kernel')
    yield problem([1, 2, 5, 5], [2, 2, 3, 3], {'stride': 7}, extra='stride over input')
    for dilation in (2, 3, [1, 2], [2, 1], [3, 2]):
        yield problem([1, 2, 9, 9], [2, 2, 3, 3], {'dilation': dilation})
        yield problem([1, 2, 7, 8], [2, 2, 3, 2], {'dilation': dilation, 'padding': [2, 1], 'stride': [1, 2]})
    for padding in (1, 2, [0, 1], [2, 1], [[0, 1], [1, 0]], [[2, 0], [0, 3]], [[1, 2], [3, 4]]):
        yield problem([1, 2, 5, 4], [3, 2, 3, 3], {'padding': padding})
        yield problem([1, 2, 5, 4], [2, 2, 3, 2], {'padding': padding, 'stride': 2}, dtype='float64')
    yield problem([1, 2, 5, 4], [3, 2, 3, 3], {'padding': 'valid'})
    for kernel, dilation in (([3, 3], 1), ([2, 2], 1), ([4, 3], 1), ([1, 2], 1), ([3, 4], 2), ([2, 4], [3, 1])):
        yield problem([1, 2, 6, 5], [2, 2, *kernel], {'padding': 'same', 'dilation': dilation})
    for mode in MODES:
        yield problem([2, 2, 5, 4], [3, 2, 3, 3], {'padding': 1, 'paddingMode': mode})
        yield problem([2, 2, 5, 4], [3, 2, 3, 3], {'padding': [2, 3], 'paddingMode': mode}, bias=True)
        yield problem([1, 2, 5, 4], [2, 2, 3, 2], {'padding': [[0, 2], [3, 1]], 'paddingMode': mode})
        yield problem([1, 2, 6, 5], [2, 2, 3, 3], {'padding': [4, 2], 'paddingMode': mode, 'stride': [2, 3]})
        yield problem([1, 2, 6, 5], [2, 2, 3, 3], {'padding': 2, 'paddingMode': mode, 'dilation': 2}, dtype='float64')
        yield problem([1, 4, 6, 5], [4, 2, 3, 3], {'padding': 1, 'paddingMode': mode, 'groups': 2})
        yield problem([1, 3, 6, 5], [3, 1, 3, 3], {'padding': 2, 'paddingMode': mode, 'groups': 3}, extra='depthwise')
        yield problem([1, 2, 5, 6], [2, 2, 4, 2], {'padding': 'same', 'paddingMode': mode})
        yield problem([2, 5, 4], [3, 2, 3, 3], {'padding': 1, 'paddingMode': mode})
    yield problem([1, 2, 3, 4], [2, 2, 3, 3], {'padding': [3, 4], 'paddingMode': 'circular'}, extra='whole turn')
    yield problem([1, 2, 2, 1], [2, 2, 3, 3], {'padding': [4, 5], 'paddingMode': 'replicate'}, extra='wide margin')
    for groups, ic, oc in ((2, 4, 4), (2, 4, 6), (3, 6, 3), (4, 4, 8)):
        yield problem([2, ic, 5, 6], [oc, ic // groups, 3, 3], {'groups': groups, 'padding': 1}, bias=True, extra=f'{ic} to {oc}')
    yield problem([1, 6, 7, 7], [6, 1, 3, 3], {'groups': 6, 'padding': 1}, extra='depthwise')
    yield problem([1, 6, 7, 7], [6, 1, 3, 3], {'groups': 6, 'padding': 1, 'stride': 2}, extra='depthwise')
    yield problem([1, 3, 9, 8], [3, 1, 5, 5], {'groups': 3, 'padding': 2}, extra='depthwise', dtype='float64')
    yield problem([1, 3, 9, 8], [6, 1, 3, 3], {'groups': 3, 'dilation': 2}, extra='depthwise, multiplier 2')
    for activation in ('relu', 'relu6', {'clip': [-2.5, 1.75]}):
        yield problem([1, 2, 6, 5], [3, 2, 3, 3], {'activation': activation})
        yield problem([1, 2, 6, 5], [3, 2, 3, 3], {'activation': activation, 'padding': 1}, bias=True, dtype='float64')
        yield problem([1, 3, 6, 5], [3, 1, 3, 3], {'activation': activation, 'groups': 3}, bias=True)
    yield problem([1, 6, 15, 15], [16, 6, 3, 3], bias=True, extra="LeNet's second")
    yield problem([1, 17, 8, 9], [33, 17, 3, 3], {'padding': 1}, extra='past one tile of channels')


def three_dimensional():
    yield problem([2, 2, 4, 5, 3], [3, 2, 2, 3, 2])
    yield problem([1, 2, 4, 5, 3], [3, 2, 2, 3, 2], dtype='float64', bias=True)
    yield problem([2, 4, 5, 3], [3, 2, 2, 3, 2])
    yield problem([0, 2, 4, 5, 3], [3, 2, 2, 3, 2], extra='batch 0')
    yield problem([1, 3, 3, 2, 4], [4, 3, 1, 1, 1], extra='pointwise')
    yield problem([1, 2, 3, 2, 4], [2, 2, 3, 2, 4], extra='output of one')
    yield problem([1, 1, 1, 2, 1], [2, 1, 3, 3, 3], {'padding': 1}, extra='kernel larger than input')
    yield problem([1, 2, 5, 5, 6], [2, 2, 3, 2, 3], {'stride': [2, 1, 3]})
    yield problem([1, 2, 5, 5, 6], [2, 2, 3, 2, 3], {'stride': 2, 'padding': [1, 0, 2]}, bias=True)
    yield problem([1, 2, 5, 5, 6], [2, 2, 2, 2, 3], {'dilation': [3, 2, 2]})
    yield problem([1, 1, 4, 4, 4], [1, 1, 2, 3, 2], {'padding': [[0, 1], [2, 0], [1, 2]]})
    yield problem([1, 1, 4, 4, 3], [2, 1, 2, 3, 4], {'padding': 'same'})
    yield problem([1, 1, 4, 5, 4], [1, 1, 2, 3, 2], {'padding': 'same', 'dilation': [3, 1, 2]})
    yield problem([1, 4, 3, 4, 4], [4, 2, 2, 2, 2], {'groups': 2, 'padding': 1})
    yield problem([1, 3, 4, 4, 4], [3, 1, 3, 3, 3], {'groups': 3, 'padding': 1}, extra='depthwise')
    for mode in MODES:
        yield problem([1, 2, 3, 4, 3], [2, 2, 3, 3, 2], {'padding': [1, 2, 1], 'paddingMode': mode})
        yield problem([1, 1, 4, 3, 4], [2, 1, 2, 2, 3], {'padding': [[0, 2], [2, 1], [3, 0]], 'paddingMode': mode, 'stride': [1, 2, 2]}, dtype='float64')
    yield problem([1, 2, 4, 4, 3], [2, 2, 2, 2, 2], {'activation': 'relu'}, bias=True)


def special_values():
    """NaN and infinity come out where direct summation puts them."""
    for name, value in (('NaN', np.nan), ('infinity', np.inf)):
        case = Case(f'2d k3x3 p1 one {name} in the input', 'conv2d', {'padding': 1})
        x = case.draw('input', [1, 2, 6, 7]).copy()
        x[0, 1, 2, 3] = value
        case.give('input', x)
        w = case.draw('weight', [2, 2, 3, 3])
        case.expect('output', conv(torch.tensor(x), torch.tensor(w), case.args).numpy())
        yield case


write_family('torch_conv', SOURCE, [*one_dimensional(), *two_dimensional(), *three_dimensional(), *special_values()])
