"""Layers, in training and in evaluation, and their gradients as PyTorch computes them. Writes torch_layers.json.

Nets compute in float64 from values of the dtype of the case; states have the names of PyTorch's state_dict.
"""

import numpy as np
import torch
import torch.nn as nn

from golden import Case, write_family
from torch_geometry import SOURCE


class Residual(nn.Module):
    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


OPTIONS = {
    'trackRunningStats': 'track_running_stats',
    'outputPadding': 'output_padding',
    'countIncludePad': 'count_include_pad',
    'ceilMode': 'ceil_mode',
    'divisorOverride': 'divisor_override',
}


def build(layer):
    """[class, positional…, options] as the library constructs it; positional arguments may be layers."""
    if isinstance(layer, list) and layer and isinstance(layer[0], list):
        return nn.Sequential(*map(build, layer))
    kind, *rest = layer
    options = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    options = {OPTIONS.get(key, key): value for key, value in options.items()}
    if kind == 'Residual':
        return Residual(*map(build, rest))
    if kind == 'Softmax':
        return nn.Softmax(dim=rest[0] if rest else -1)
    return getattr(nn, kind)(*rest, **options)


def layer(id, layer, input_shape, mode='train', dtype='float64', steps=1):
    """`steps` forward passes in that mode, then backward from a given gradient."""
    case = Case(f'{id} {mode} {dtype}', 'nn', {'layer': layer, 'mode': mode, 'steps': steps}, dtype)
    net = build(layer).double()
    net.train(mode == 'train')
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if name.endswith('num_batches_tracked'):
                case.give(f'state.{name}', np.array(3), 'int32')
                value.fill_(3)
                continue
            drawn = np.round(case.rng.uniform(-1, 1, size=list(value.shape)) * 256) / 256
            value.copy_(torch.tensor(np.abs(drawn) + 0.5 if 'var' in name else drawn))
            case.give(f'state.{name}', value.numpy())
    x = torch.tensor(case.draw('input', input_shape), requires_grad=True)
    for _ in range(steps):
        y = net(x)
    g = torch.tensor(case.draw('gradOutput', list(y.shape)))
    y.backward(g)
    case.expect('output', y.detach().numpy())
    case.expect('gradInput', x.grad.numpy())
    for name, parameter in net.named_parameters():
        case.expect(f'grad.{name}', parameter.grad.numpy())
    for name, buffer in net.named_buffers():
        case.expect(f'state.{name}', buffer.numpy(), 'int32' if name.endswith('tracked') else None)
    return case


def cases():
    for kind, shape in (('BatchNorm1d', [5, 3]), ('BatchNorm1d', [2, 3, 4]), ('BatchNorm2d', [2, 3, 4, 5]), ('BatchNorm3d', [2, 2, 2, 3, 2])):
        channels = shape[1]
        for mode in ('train', 'eval'):
            for dtype in ('float64', 'float32'):
                yield layer(f'{kind} of {len(shape)} axes', [kind, channels], shape, mode, dtype, 2)
            yield layer(f'{kind} of {len(shape)} axes, plain', [kind, channels, {'affine': False, 'trackRunningStats': False, 'eps': 0.1}], shape, mode)
        yield layer(f'{kind} of {len(shape)} axes, average', [kind, channels, {'momentum': None}], shape, 'train', 'float64', 2)
    yield layer('ConvTranspose1d', ['ConvTranspose1d', 4, 6, 3, {'stride': 2, 'padding': 1, 'outputPadding': 1, 'groups': 2}], [2, 4, 5])
    yield layer('ConvTranspose2d', ['ConvTranspose2d', 2, 3, [3, 2], {'stride': [2, 1], 'dilation': [1, 2]}], [2, 2, 3, 4])
    yield layer('ConvTranspose2d', ['ConvTranspose2d', 2, 3, [3, 2], {'stride': [2, 1], 'dilation': [1, 2]}], [2, 2, 3, 4], dtype='float32')
    yield layer('ConvTranspose2d without bias', ['ConvTranspose2d', 2, 2, 2, {'stride': 3, 'outputPadding': 2, 'bias': False}], [1, 2, 3, 2])
    yield layer('ConvTranspose2d padded past its stride', ['ConvTranspose2d', 2, 2, 2, {'dilation': 3, 'padding': 1, 'outputPadding': [2, 1]}], [1, 2, 3, 4])
    yield layer('ConvTranspose3d', ['ConvTranspose3d', 2, 2, [1, 2, 3], {'stride': [1, 2, 1], 'padding': [0, 1, 1]}], [1, 2, 2, 3, 3])
    for size in (1, [2, 3], [None, 2], 7):
        yield layer(f'AdaptiveAvgPool2d {size}', ['AdaptiveAvgPool2d', size], [2, 2, 5, 7])
    yield layer('MaxPool1d', ['MaxPool1d', 3, {'stride': 2, 'padding': 1}], [2, 2, 8])
    yield layer('MaxPool3d', ['MaxPool3d', 2, {'stride': [1, 2, 2]}], [2, 2, 3, 4, 5])
    yield layer('MaxPool3d dilated, ceil', ['MaxPool3d', [2, 1, 2], {'stride': 2, 'dilation': [1, 1, 2], 'ceilMode': True}], [1, 2, 4, 3, 6])
    yield layer('AvgPool1d', ['AvgPool1d', 3, {'stride': 2, 'padding': 1}], [2, 2, 8])
    yield layer('AvgPool3d', ['AvgPool3d', [2, 3, 2], {'stride': [1, 2, 2], 'padding': [1, 1, 0]}], [2, 2, 3, 4, 5])
    yield layer('AvgPool3d unpadded count, ceil', ['AvgPool3d', 2, {'padding': 1, 'ceilMode': True, 'countIncludePad': False}], [1, 2, 3, 4, 4])
    yield layer('AvgPool2d by another divisor', ['AvgPool2d', [2, 3], {'stride': 2, 'padding': [1, 0], 'ceilMode': True, 'divisorOverride': 5}], [2, 2, 6, 7])
    yield layer('AvgPool3d by another divisor', ['AvgPool3d', 2, {'divisorOverride': 3}], [1, 2, 4, 4, 5], dtype='float32')
    for kind, *arguments in (['Sigmoid'], ['Tanh'], ['LeakyReLU'], ['LeakyReLU', 0.25], ['GELU'], ['GELU', {'approximate': 'tanh'}], ['SiLU'], ['Softmax'], ['Softmax', 1]):
        for dtype in ('float64', 'float32'):
            yield layer(f'{kind} {arguments or ""}', [kind, *arguments], [3, 4, 5], 'train', dtype)
    yield layer('Dropout', ['Dropout', 0.5], [3, 4], 'eval')
    block = [['Conv2d', 2, 4, 3, {'stride': 2, 'padding': 1}], ['BatchNorm2d', 4], ['ReLU'], ['Conv2d', 4, 4, 3, {'padding': 1}], ['BatchNorm2d', 4]]
    net = [['Residual', block, ['Conv2d', 2, 4, 1, {'stride': 2}]], ['ReLU'], ['Residual', [['Conv2d', 4, 4, 1], ['SiLU']]], ['AdaptiveAvgPool2d', 1], ['Flatten'], ['Linear', 4, 3], ['BatchNorm1d', 3], ['Softmax']]
    for mode in ('train', 'eval'):
        yield layer('a residual network', net, [3, 2, 6, 6], mode)
    # Planes longer and shorter than vectors, and no multiple of them; one channel; a batch of one.
    for shape in ([2, 3, 5, 7], [1, 5, 4, 9], [3, 1, 5, 5], [3, 17, 1, 2]):
        for mode, dtype in (('train', 'float64'), ('train', 'float32'), ('eval', 'float32')):
            yield layer(f'BatchNorm2d of {shape}, rectified', [['BatchNorm2d', shape[1]], ['ReLU']], shape, mode, dtype)
    odd = [['Conv2d', 1, 5, 3, {'stride': 2, 'padding': 1, 'bias': False}], ['BatchNorm2d', 5], ['ReLU'],
           ['Residual', [['Conv2d', 5, 5, 3, {'padding': 1}], ['BatchNorm2d', 5]]], ['ReLU'],
           ['Residual', [['BatchNorm2d', 5], ['ReLU'], ['Flatten']], ['Flatten']], ['ReLU'], ['Linear', 90, 4]]
    for batch in (2, 3):
        yield layer(f'an odd residual network, batch of {batch}', odd, [batch, 1, 11, 5])


write_family('torch_layers', SOURCE, list(cases()))
