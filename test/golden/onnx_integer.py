"""ConvInteger and QLinearConv by the ONNX definition, in exact integers and fractions. Writes onnx_integer.json.

    ConvInteger:  y = Σ (x − x_zero_point)·(w − w_zero_point), padding with the zero point, so that it adds nothing
    QLinearConv:  y = saturate(round((that + bias)·x_scale·w_scale / y_scale) + y_zero_point), halves to even

ONNX leaves open in which precision the scales are multiplied. Here scales are either powers of two, where every
precision agrees and ties are ties, or such that no exact value comes near a tie.
"""

import math
from fractions import Fraction

import numpy as np
import torch

from golden import Case, describe, write_family
from torch_geometry import conv

INTEGER_RANGE = {'int8': (-128, 127), 'uint8': (0, 255)}


def accumulate(x, w, x_zero, w_zero, options):
    """The exact sums: integers below 2⁵³, so float64 convolution is exact."""
    w_zero = np.asarray(w_zero)
    centred = w - (w_zero.reshape(-1, *[1] * (w.ndim - 1)) if w_zero.ndim else w_zero)
    y = conv(torch.tensor((x - x_zero).astype(np.float64)), torch.tensor(centred.astype(np.float64)), options)
    return y.numpy().astype(np.int64)


def draw(case, name, shape, dtype, extreme=False, zero_points=(0,), step=1):
    """Bytes over their range, or its ends; those whose distance from the zero point of their channel is a multiple of step."""
    low, high = INTEGER_RANGE[dtype]
    if extreme:
        values = case.rng.choice([low, high], size=shape)
    else:
        channels = [
            case.rng.choice([v for v in range(low, high + 1) if (v - zero) % step == 0], size=shape[1:] if len(zero_points) > 1 else shape)
            for zero in zero_points
        ]
        values = np.stack(channels) if len(zero_points) > 1 else channels[0]
    return case.give(name, values.astype(np.int64), dtype)


def conv_integer(input_shape, weight_shape, geometry=None, x_dtype='uint8', w_dtype='int8', x_zero=None, w_zero=None, extreme=False):
    args = dict(geometry or {})
    if x_zero is not None:
        args['inputZeroPoint'] = x_zero
    if w_zero is not None:
        args['weightZeroPoint'] = w_zero
    rank = len(weight_shape) - 2
    notes = [x_dtype, 'by', w_dtype]
    notes += [f'x_zero {x_zero}'] if x_zero is not None else []
    notes += ['w_zero per channel' if isinstance(w_zero, list) else f'w_zero {w_zero}'] if w_zero is not None else []
    notes += ['extremes'] if extreme else []
    sizes = 'x'.join(map(str, input_shape))
    case = Case('convInteger ' + describe(rank, weight_shape[2:], geometry or {}, f"on {sizes}, {' '.join(notes)}"), 'convInteger', args)
    x = draw(case, 'input', input_shape, x_dtype, extreme)
    w = draw(case, 'weight', weight_shape, w_dtype, extreme)
    batched = x if x.ndim == rank + 2 else x[None]
    y = accumulate(batched, w, x_zero or 0, w_zero or 0, geometry or {})
    case.expect('output', y if x.ndim == rank + 2 else y[0], 'int32')
    return case


def qlinear_conv(input_shape, weight_shape, geometry=None, x_dtype='uint8', w_dtype='int8', y_dtype=None, bias=False, exact=False, per_channel=False, saturating=False, extra=''):
    """exact: scales that are powers of two, so that values on ties occur. saturating: an output scale too small for the values."""
    geometry = dict(geometry or {})
    rank, oc = len(weight_shape) - 2, weight_shape[0]
    notes = [f"on {'x'.join(map(str, input_shape))},", x_dtype, 'by', w_dtype, 'to', y_dtype or x_dtype]
    notes += [word for word, holds in (('bias', bias), ('powers of two', exact), ('per channel', per_channel), ('saturating', saturating)) if holds]
    id = 'qlinearConv ' + describe(rank, weight_shape[2:], geometry, ' '.join([*notes, *([extra] if extra else [])]))
    case = Case(id, 'qlinearConv')
    rng = case.rng
    low_x, high_x = INTEGER_RANGE[x_dtype]
    out_dtype = y_dtype or x_dtype
    low, high = INTEGER_RANGE[out_dtype]
    x_zero, y_zero = int(rng.randint(low_x, high_x + 1)), int(rng.randint(low // 2, high // 2))
    low_w, high_w = INTEGER_RANGE[w_dtype]
    count = oc if per_channel else 1
    w_zero = [int(z) for z in rng.randint(low_w // 4, high_w // 4 + 1, size=count)]
    # Scales that are powers of two make ties only where the sums are coarse enough.
    x = draw(case, 'input', input_shape, x_dtype, zero_points=[x_zero], step=16 if exact else 1)
    w = draw(case, 'weight', weight_shape, w_dtype, zero_points=w_zero, step=8 if exact else 1)
    sums = accumulate(x, w, x_zero, np.array(w_zero) if per_channel else w_zero[0], geometry)
    if bias:
        b = rng.randint(-40, 40, size=oc) * 128
        case.give('bias', b, 'int32')
        sums = sums + b.reshape(1, oc, *[1] * rank)
    largest = max(1, np.abs(sums).max())

    while True:
        if exact:
            x_scale, w_scale = 0.5, [0.25 / 2 ** int(e) for e in rng.randint(0, 3, size=count)]
            y_scale = 2.0 ** math.ceil(math.log2(largest * 0.125 / (400 if saturating else 100)))
        else:
            x_scale, w_scale = float(np.float32(rng.uniform(0.01, 0.1))), [float(np.float32(s)) for s in rng.uniform(0.002, 0.02, size=count)]
            y_scale = float(np.float32(rng.uniform(1, 1.5) * largest * x_scale * max(w_scale) / (400 if saturating else 100)))
        scales = [Fraction(x_scale) * Fraction(s) / Fraction(y_scale) for s in w_scale]
        scaled = [Fraction(int(s)) * scales[(place % oc) if per_channel else 0] for place, s in enumerate(np.moveaxis(sums, 1, -1).reshape(-1))]
        # A float32 product errs by less than 2⁻²² of its size, which is below 2⁹.
        if exact or all(abs(v - math.floor(v) - Fraction(1, 2)) > Fraction(1, 4096) for v in scaled):
            break

    ties = sum(v - math.floor(v) == Fraction(1, 2) for v in scaled)
    assert not exact or saturating or ties > 0, id
    values = [min(max(round(v) + y_zero, low), high) for v in scaled]
    moved = np.moveaxis(sums, 1, -1).shape
    y = np.moveaxis(np.array(values, dtype=np.int64).reshape(moved), -1, 1)
    case.args = {
        **geometry,
        'inputScale': x_scale,
        'inputZeroPoint': x_zero,
        'weightScale': w_scale if per_channel else w_scale[0],
        'weightZeroPoint': w_zero if per_channel else w_zero[0],
        'outputScale': y_scale,
        'outputZeroPoint': y_zero,
        **({'outputDType': y_dtype} if y_dtype else {}),
    }
    case.expect('output', y, out_dtype)
    return case


def integer_problems():
    kinds = [(x, w) for x in ('uint8', 'int8') for w in ('int8', 'uint8')]
    for x_dtype, w_dtype in kinds:
        d = {'x_dtype': x_dtype, 'w_dtype': w_dtype}
        yield conv_integer([1, 2, 5, 6], [3, 2, 3, 3], **d)
        yield conv_integer([1, 2, 5, 6], [3, 2, 3, 3], {'padding': 1}, x_zero=7, w_zero=3, **d)
        yield conv_integer([2, 3, 6, 5], [4, 3, 3, 2], {'padding': [[1, 0], [0, 2]], 'stride': 2}, x_zero=100, w_zero=[1, 0, 5, 3], **d)
        yield conv_integer([1, 16, 4, 5], [5, 16, 3, 3], {'padding': 1}, x_zero=3, extreme=True, **d)
        yield conv_integer([1, 7, 3, 4], [5, 7, 1, 1], x_zero=120, w_zero=[1, 2, 3, 4, 5], **d)
    for geometry in (
        {'dilation': 2, 'padding': 2}, {'stride': [1, 2]}, {'padding': 'same'}, {'padding': [2, 1], 'dilation': [1, 2], 'stride': 2},
        {'padding': 1, 'paddingMode': 'circular'}, {'padding': 2, 'paddingMode': 'reflect'}, {'padding': 3, 'paddingMode': 'replicate'},
    ):
        yield conv_integer([1, 2, 6, 7], [3, 2, 3, 3], geometry, x_zero=128, w_zero=-2)
    yield conv_integer([1, 4, 5, 5], [6, 2, 3, 3], {'groups': 2, 'padding': 1}, x_zero=9, w_zero=[0, 1, -2, 3, -4, 5])
    yield conv_integer([1, 5, 7, 6], [5, 1, 3, 3], {'groups': 5, 'padding': 1}, x_zero=9)
    yield conv_integer([1, 1, 3, 3], [1, 1, 2, 2], x_zero=1)
    yield conv_integer([3, 6, 7], [2, 3, 3, 3], {'padding': 1}, x_zero=200)
    yield conv_integer([0, 3, 6, 7], [2, 3, 3, 3], x_zero=200)
    yield conv_integer([2, 3, 11], [4, 3, 4], {'padding': 2, 'stride': 2}, x_zero=30)
    yield conv_integer([1, 2, 3, 4, 5], [3, 2, 2, 2, 3], {'padding': [1, 0, 1]}, x_zero=30, w_zero=1)
    yield conv_integer([1, 33, 6, 17], [34, 33, 3, 3], {'padding': 1}, x_zero=5, w_zero=-1)


def qlinear_problems():
    for x_dtype in ('uint8', 'int8'):
        for w_dtype in ('int8', 'uint8'):
            d = {'x_dtype': x_dtype, 'w_dtype': w_dtype}
            yield qlinear_conv([1, 2, 5, 6], [3, 2, 3, 3], **d)
            yield qlinear_conv([1, 2, 5, 6], [3, 2, 3, 3], {'padding': 1}, bias=True, per_channel=True, **d)
            yield qlinear_conv([1, 2, 6, 6], [3, 2, 3, 3], {'padding': 1}, exact=True, **d)
            yield qlinear_conv([1, 2, 6, 6], [3, 2, 3, 3], {'padding': 1}, exact=True, per_channel=True, bias=True, **d)
            yield qlinear_conv([1, 3, 5, 5], [4, 3, 3, 3], saturating=True, **d)
    yield qlinear_conv([1, 2, 5, 6], [3, 2, 3, 3], y_dtype='int8')
    yield qlinear_conv([1, 2, 5, 6], [3, 2, 3, 3], x_dtype='int8', y_dtype='uint8')
    yield qlinear_conv([2, 3, 7, 6], [4, 3, 3, 2], {'stride': 2, 'padding': [[1, 0], [0, 2]]}, bias=True)
    yield qlinear_conv([1, 2, 7, 8], [3, 2, 3, 3], {'dilation': 2, 'padding': 2})
    yield qlinear_conv([1, 4, 5, 5], [6, 2, 3, 3], {'groups': 2, 'padding': 1}, per_channel=True)
    yield qlinear_conv([1, 6, 7, 6], [6, 1, 3, 3], {'groups': 6, 'padding': 1}, per_channel=True, bias=True)
    yield qlinear_conv([1, 9, 4, 4], [5, 9, 1, 1], bias=True)
    yield qlinear_conv([1, 2, 5, 6], [3, 2, 3, 3], {'padding': 1, 'paddingMode': 'circular'})
    yield qlinear_conv([1, 3, 17], [4, 3, 5], {'padding': 2}, per_channel=True)
    yield qlinear_conv([1, 2, 3, 4, 4], [3, 2, 2, 2, 2], {'padding': [0, 1, 0]})
    yield qlinear_conv([1, 17, 5, 17], [18, 17, 3, 3], {'padding': 1}, per_channel=True, bias=True)


write_family('onnx_integer', 'the ONNX operator definitions, exactly', [*integer_problems(), *qlinear_problems()])
