"""Networks, losses and their gradients as PyTorch computes them. Writes torch_nn.json.

Nets compute in float64 from values of the dtype of the case; parameters have the names of PyTorch's state_dict.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from golden import Case, write_family
from torch_geometry import SOURCE

LAYERS = {
    'Conv1d': nn.Conv1d,
    'Conv2d': nn.Conv2d,
    'Conv3d': nn.Conv3d,
    'Linear': nn.Linear,
    'ReLU': nn.ReLU,
    'MaxPool2d': nn.MaxPool2d,
    'AvgPool2d': nn.AvgPool2d,
    'Flatten': nn.Flatten,
}
OPTIONS = {'paddingMode': 'padding_mode', 'ceilMode': 'ceil_mode', 'countIncludePad': 'count_include_pad'}


def build(layers):
    """layers: [class, positional…, options] as the library constructs them."""
    modules = []
    for kind, *rest in layers:
        options = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        modules.append(LAYERS[kind](*rest, **{OPTIONS.get(key, key): value for key, value in options.items()}))
    return nn.Sequential(*modules)


def sequence(id, layers, input_shape, dtype='float32'):
    """Forward, and backward from a given gradient; two backward passes, to see gradients accumulate."""
    case = Case(id + ('' if dtype == 'float32' else ' f64'), 'nn.Sequential', {'layers': layers}, dtype)
    net = build(layers).double()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            # Small, so that activations stay of order one.
            parameter.copy_(torch.tensor(np.round(case.rng.uniform(-1, 1, size=list(parameter.shape)) * 256) / 1024))
            case.give(f'state.{name}', parameter.detach().numpy())
    x = torch.tensor(case.draw('input', input_shape), requires_grad=True)
    y = net(x)
    g = torch.tensor(case.draw('gradOutput', list(y.shape)))
    y.backward(g)
    case.expect('output', y.detach().numpy())
    case.expect('gradInput', x.grad.numpy())
    for name, parameter in net.named_parameters():
        case.expect(f'grad.{name}', parameter.grad.numpy())
    return case


def loss(kind, id, shape, dtype='float64', values=None, ignored=None):
    case = Case(f'{kind} {id}' + ('' if dtype == 'float64' else ' f32'), f'nn.{kind}', dtype=dtype)
    if kind == 'mseLoss':
        prediction, target = (torch.tensor(case.draw(name, shape), dtype=torch.float64) for name in ('prediction', 'target'))
        prediction.requires_grad_()
        value = F.mse_loss(prediction, target)
    else:
        drawn = case.draw('logits', shape) if values is None else case.give('logits', np.array(values, dtype=np.float64).reshape(shape))
        prediction = torch.tensor(drawn, requires_grad=True)
        labels = case.rng.randint(0, shape[1], size=shape[0])
        if ignored is not None:
            labels[::2] = ignored
            case.args['ignoreIndex'] = ignored
        labels = case.give('labels', labels, 'int32')
        ignore = -100 if ignored is None else ignored
        value = F.cross_entropy(prediction, torch.tensor(labels.astype(np.int64)), ignore_index=ignore)
    value.backward()
    case.expect('value', float(value))
    case.expect('grad', prediction.grad.numpy())
    return case


def cases():
    yield sequence('Linear', [['Linear', 5, 3]], [4, 5])
    yield sequence('Linear', [['Linear', 5, 3]], [4, 5], 'float64')
    yield sequence('Linear without bias', [['Linear', 5, 3, {'bias': False}]], [4, 5])
    yield sequence('Linear of one', [['Linear', 1, 1]], [1, 1])
    yield sequence('Conv1d', [['Conv1d', 2, 3, 3, {'padding': 1, 'stride': 2}]], [2, 2, 9])
    yield sequence('Conv2d', [['Conv2d', 2, 3, 3, {'padding': 1}]], [2, 2, 5, 6])
    yield sequence('Conv2d', [['Conv2d', 2, 3, 3, {'padding': 1}]], [2, 2, 5, 6], 'float64')
    yield sequence('Conv2d without bias, 3x2, strided, dilated', [['Conv2d', 2, 3, [3, 2], {'stride': [1, 2], 'dilation': [2, 1], 'bias': False}]], [2, 2, 7, 6])
    yield sequence('Conv2d in groups', [['Conv2d', 4, 6, 3, {'padding': 1, 'groups': 2}]], [2, 4, 5, 4])
    for mode in ('circular', 'reflect', 'replicate'):
        yield sequence(f'Conv2d {mode}', [['Conv2d', 2, 2, 3, {'padding': 1, 'paddingMode': mode}]], [1, 2, 5, 4])
    yield sequence('Conv3d', [['Conv3d', 2, 3, [1, 2, 3], {'padding': [0, 1, 1]}]], [1, 2, 3, 4, 4])
    yield sequence('ReLU', [['ReLU']], [3, 7])
    yield sequence('Flatten', [['Flatten']], [2, 3, 2, 2])
    yield sequence('MaxPool2d', [['MaxPool2d', 2]], [2, 3, 6, 7])
    yield sequence('MaxPool2d overlapping', [['MaxPool2d', 3, {'stride': 2, 'padding': 1}]], [2, 2, 7, 6])
    yield sequence('MaxPool2d dilated, ceil', [['MaxPool2d', [2, 3], {'stride': [2, 1], 'dilation': [2, 1], 'ceilMode': True}]], [1, 2, 6, 7])
    yield sequence('AvgPool2d', [['AvgPool2d', 2]], [2, 3, 6, 7])
    yield sequence('AvgPool2d overlapping', [['AvgPool2d', 3, {'stride': 2, 'padding': 1}]], [2, 2, 7, 6])
    yield sequence('AvgPool2d unpadded count, ceil', [['AvgPool2d', 3, {'stride': 2, 'padding': 1, 'ceilMode': True, 'countIncludePad': False}]], [1, 2, 6, 6])
    small = [['Conv2d', 1, 3, 3, {'padding': 1}], ['ReLU'], ['MaxPool2d', 2], ['Conv2d', 3, 4, 3], ['ReLU'], ['Flatten'], ['Linear', 16, 5], ['ReLU'], ['Linear', 5, 3]]
    yield sequence('a small network', small, [3, 1, 8, 8])
    yield sequence('a small network', small, [3, 1, 8, 8], 'float64')
    yield sequence('averages and groups', [['Conv2d', 2, 4, 3, {'groups': 2}], ['AvgPool2d', 2], ['ReLU'], ['Flatten'], ['Linear', 16, 2]], [2, 2, 6, 6])
    for dtype in ('float64', 'float32'):
        yield loss('mseLoss', 'of 3x4', [3, 4], dtype)
        yield loss('mseLoss', 'of 7', [7], dtype)
        yield loss('crossEntropyLoss', 'of 4 by 5', [4, 5], dtype)
        yield loss('crossEntropyLoss', 'of 1 by 2', [1, 2], dtype)
        yield loss('crossEntropyLoss', 'of one class', [3, 1], dtype)
    yield loss('crossEntropyLoss', 'of 5 by 3, some ignored', [5, 3], ignored=-100)
    yield loss('crossEntropyLoss', 'of 5 by 3, one class ignored', [5, 3], ignored=1)
    yield loss('crossEntropyLoss', 'large logits', [2, 3], values=[1000, 0, -1000, 1e4, 1e4, 0])
    yield loss('crossEntropyLoss', 'equal logits', [2, 3], values=[5, 5, 5, -700, -700, -700])


def initialisations():
    """The bounds of PyTorch's default initialisation, read off its own: weights and biases are uniform in ±1/√fanIn."""
    for kind, arguments, parameters in (
        ('Linear', [50, 40], ('weight', 'bias')),
        ('Conv1d', [8, 40, 5], ('weight', 'bias')),
        ('Conv2d', [8, 40, [3, 5]], ('weight', 'bias')),
        ('Conv2d', [8, 40, 3, {'groups': 4}], ('weight', 'bias')),
        ('Conv3d', [4, 40, 2], ('weight', 'bias')),
    ):
        options = arguments[-1] if isinstance(arguments[-1], dict) else {}
        positional = [a for a in arguments if not isinstance(a, dict)]
        case = Case(f'initialisation of {kind} {positional} {options or ""}'.strip(), f'nn.{kind}', {'arguments': arguments})
        torch.manual_seed(0)
        layers = [LAYERS[kind](*positional, **options) for _ in range(200)]
        fan_in = layers[0].weight[0].numel()
        for name in parameters:
            values = torch.stack([getattr(layer, name).detach() for layer in layers])
            bound = fan_in ** -0.5
            assert values.abs().max() <= bound and values.abs().max() > 0.999 * bound
            case.expect(f'{name}Bound', bound)
        yield case


write_family('torch_nn', SOURCE, [*cases(), *initialisations()])
