"""Max and average pooling as PyTorch computes them. Writes torch_pool.json.

PyTorch pads symmetrically and pools floats. Per-side padding is done by padding first (with −∞ for max, whose indices
are then mapped back); integers are pooled as float64, which holds them exactly.
"""

import numpy as np
import torch
import torch.nn.functional as F

from golden import Case, describe, per_axis, write_family
from torch_geometry import SOURCE

MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
DTYPES = ('float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32')


def is_per_side(padding):
    return isinstance(padding, list) and isinstance(padding[0], list)


def pad(x, padding, value):
    return F.pad(x, [n for pair in reversed(padding) for n in pair], value=value)


def max_pool(x, kernel, options):
    """Output and flat indices in the unpadded image, of a batched float64 tensor."""
    rank = x.dim() - 2
    padding, stride = options.get('padding', 0), options.get('stride', kernel)
    rest = {'dilation': options.get('dilation', 1), 'ceil_mode': options.get('ceilMode', False), 'return_indices': True}
    if not is_per_side(padding):
        return MAX_POOL[rank](x, kernel, stride, padding, **rest)
    assert not rest['ceil_mode'], 'padding first would move the last window'
    padded = pad(x, padding, -np.inf)
    y, flat = MAX_POOL[rank](padded, kernel, stride, 0, **rest)
    places = np.unravel_index(flat.numpy(), padded.shape[2:])
    inside = [place - before for place, (before, _) in zip(places, padding)]
    return y, torch.tensor(np.ravel_multi_index(inside, x.shape[2:]))


def avg_pool(x, kernel, options):
    rank = x.dim() - 2
    padding, stride = options.get('padding', 0), options.get('stride', kernel)
    count_pad, ceil = options.get('countIncludePad', True), options.get('ceilMode', False)
    if not is_per_side(padding):
        return AVG_POOL[rank](x, kernel, stride, padding, ceil_mode=ceil, count_include_pad=count_pad)
    assert not ceil, 'padding first would move the last window'
    taps = int(np.prod(per_axis(kernel, rank)))
    # The mean of values times their count is their sum, exactly: they lie on the grid.
    sums = AVG_POOL[rank](pad(x, padding, 0) * taps, kernel, stride)
    counts = AVG_POOL[rank](pad(torch.ones_like(x), padding, float(count_pad)) * taps, kernel, stride)
    return sums / counts


def describe_pool(kind, rank, kernel, options, dtype, extra):
    words = [kind, describe(rank, kernel, options)]
    words += [word for word, key in (('ceil', 'ceilMode'), ('unpadded count', 'countIncludePad')) if key in options]
    return ' '.join([*words, *filter(None, [extra]), *([] if dtype == 'float32' else [dtype])])


def problem(kind, input_shape, kernel, options=None, dtype='float32', extra='', values=None, rank=None):
    """kind: 'max' or 'avg'. `values`, when given, are the input."""
    options = dict(options or {})
    rank = rank or len(input_shape) - 2
    unbatched = len(input_shape) == rank + 1
    case = Case(describe_pool(kind, rank, kernel, options, dtype, extra), f'{kind}Pool{rank}d', {'kernelSize': kernel, **options}, dtype)
    x = case.draw('input', input_shape) if values is None else case.give('input', np.array(values).reshape(input_shape))
    x = torch.tensor(np.asarray(x, dtype=np.float64))
    x = x.unsqueeze(0) if unbatched else x
    if kind == 'max':
        y, indices = max_pool(x, kernel, options)
        if rank == 2:
            case.expect('indices', (indices.squeeze(0) if unbatched else indices).numpy(), 'int32')
    else:
        y = avg_pool(x, kernel, options)
    case.expect('output', (y.squeeze(0) if unbatched else y).numpy())
    return case


def both():
    """What the two kinds share: sizes, strides, padding, the ceil mode."""
    for kind in ('max', 'avg'):
        yield problem(kind, [2, 3, 10], 2)
        yield problem(kind, [2, 3, 11], 3, {'stride': 2})
        yield problem(kind, [1, 2, 10], 4, {'stride': 3, 'padding': 2})
        yield problem(kind, [3, 10], 3, rank=1, extra='unbatched')
        yield problem(kind, [0, 3, 10], 3, extra='batch 0')
        for size in (7, 8, 9, 10):
            yield problem(kind, [1, 2, size], 3, {'stride': 3, 'padding': 1, 'ceilMode': True}, extra=f'of {size}')
        yield problem(kind, [1, 2, 5], 2, {'stride': 4, 'ceilMode': True}, extra='of 5')
        yield problem(kind, [1, 2, 7], 3, {'padding': [[1, 0]]})
        yield problem(kind, [2, 3, 6, 8], 2)
        yield problem(kind, [2, 3, 7, 7], 2, extra='odd')
        yield problem(kind, [3, 7, 6], 2, rank=2, extra='unbatched')
        yield problem(kind, [0, 3, 7, 6], 2, extra='batch 0')
        yield problem(kind, [1, 2, 4, 5], 1, extra='pointwise')
        yield problem(kind, [1, 2, 4, 5], [4, 5], extra='output of one')
        yield problem(kind, [1, 2, 2, 3], [4, 5], {'padding': [2, 2]}, extra='kernel larger than input')
        yield problem(kind, [1, 2, 7, 8], [3, 2], {'stride': [1, 3]})
        yield problem(kind, [1, 2, 7, 8], 3, {'stride': 1, 'padding': 1})
        yield problem(kind, [1, 2, 7, 8], [3, 2], {'stride': [2, 1], 'padding': [1, 0]}, dtype='float64')
        yield problem(kind, [1, 2, 7, 6], [3, 2], {'padding': [[1, 0], [0, 1]], 'stride': 2})
        yield problem(kind, [1, 1, 17, 33], 3, {'stride': 1}, extra='rows past a vector')
        yield problem(kind, [1, 1, 18, 35], 2, {'stride': 2}, extra='rows past a vector')
        for size in ([6, 7], [8, 9], [10, 5]):
            yield problem(kind, [1, 2, *size], 3, {'stride': 2, 'ceilMode': True}, extra=f'of {size[0]}x{size[1]}')
            yield problem(kind, [1, 2, *size], [2, 3], {'stride': 3, 'padding': 1, 'ceilMode': True}, extra=f'of {size[0]}x{size[1]}')
        yield problem(kind, [2, 2, 4, 5, 4], 2)
        yield problem(kind, [1, 2, 4, 5, 6], [2, 3, 2], {'stride': [1, 2, 3], 'padding': [1, 1, 0]})
        yield problem(kind, [1, 1, 5, 4, 5], [2, 2, 3], {'stride': 2, 'padding': [1, 0, 1], 'ceilMode': True}, dtype='float64')
        yield problem(kind, [2, 4, 5, 4], 3, {'padding': 1}, rank=3, extra='unbatched')


def only_max():
    yield problem('max', [1, 2, 11], 3, {'dilation': 2, 'stride': 1})
    yield problem('max', [1, 2, 9, 8], [3, 2], {'dilation': [2, 3], 'padding': 1, 'stride': [1, 2]})
    yield problem('max', [1, 2, 9, 8], 3, {'dilation': 2, 'stride': 3, 'ceilMode': True, 'padding': 1})
    yield problem('max', [1, 1, 5, 6, 5], 2, {'dilation': [1, 2, 3], 'stride': 1})
    for dtype in DTYPES:
        yield problem('max', [2, 2, 6, 7], [2, 3], {'stride': [2, 1], 'padding': 1}, dtype=dtype)
        yield problem('max', [1, 2, 9], 3, {'padding': 1}, dtype=dtype)
    lowest = np.iinfo(np.int8).min
    yield problem('max', [1, 1, 3, 3], 2, {'padding': 1, 'stride': 2}, 'int8', 'lowest everywhere', [lowest] * 9)
    ties = [1, 1, 1, 2, 2, 1, 2, 2, 2, 2, 0, 2, -0.0, 0.0, 0.0, -0.0]
    yield problem('max', [1, 1, 4, 4], 2, {'stride': 1}, extra='ties', values=ties)
    yield problem('max', [1, 1, 4, 4], 3, {'stride': 1, 'padding': 1}, extra='ties', values=ties)
    inf, nan = np.inf, np.nan
    nothing = [-inf] * 9
    yield problem('max', [1, 1, 3, 3], 2, {'stride': 1}, extra='minus infinity everywhere', values=nothing)
    yield problem('max', [1, 1, 3, 3], 3, {'stride': 2, 'padding': 1}, extra='minus infinity everywhere', values=nothing)
    holes = [nan, 1, 2, 3, -inf, 5, nan, nan, 4, 3, 2, inf, 0, -1, nan, inf]
    for dtype in ('float32', 'float64'):
        yield problem('max', [1, 1, 4, 4], 2, {'stride': 1}, dtype, 'NaN', holes)
        yield problem('max', [1, 1, 4, 4], 3, {'stride': 1, 'padding': 1}, dtype, 'NaN', holes)
        yield problem('max', [1, 1, 16], 3, {'stride': 1}, dtype, 'NaN', holes)


def only_avg():
    for kernel, options in (
        (3, {'stride': 2, 'padding': 1}),
        ([3, 2], {'stride': [1, 2], 'padding': [1, 1]}),
        (3, {'stride': 2, 'padding': 1, 'ceilMode': True}),
        (4, {'stride': 3, 'padding': 2, 'ceilMode': True}),
        (3, {'stride': 2, 'padding': [[1, 0], [0, 1]]}),
    ):
        yield problem('avg', [2, 2, 7, 8], kernel, {**options, 'countIncludePad': False})
        yield problem('avg', [1, 1, 8, 6], kernel, {**options, 'countIncludePad': False}, dtype='float64')
    yield problem('avg', [1, 2, 8], 3, {'stride': 2, 'padding': 1, 'ceilMode': True, 'countIncludePad': False})
    yield problem('avg', [1, 1, 4, 5, 6], 3, {'stride': 2, 'padding': 1, 'countIncludePad': False})
    yield problem('avg', [1, 1, 4, 5, 6], 3, {'stride': 2, 'padding': 1, 'ceilMode': True, 'countIncludePad': False})
    yield problem('avg', [1, 1, 3, 3], 2, {'stride': 1}, extra='infinity and NaN', values=[np.inf, 1, 2, 3, 4, -np.inf, np.nan, 5, 6])


write_family('torch_pool', SOURCE, [*both(), *only_max(), *only_avg()])
