"""unfold (im2col) and its adjoint fold (col2im). Writes torch_unfold_fold.json.

PyTorch unfolds float images only. The other ranks, dtypes and padding modes come from index arithmetic in NumPy,
asserted equal to PyTorch's wherever it has an answer. Sums of integers wrap, as everywhere.
"""

import numpy as np
import torch
import torch.nn.functional as F

from golden import Case, describe, per_axis, write_family
from torch_geometry import NUMPY_PAD_MODES, SOURCE, sides, taps_and_places

DTYPES = ('float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32')


def geometry(kernel, options):
    rank = len(kernel)
    stride, dilation = per_axis(options.get('stride', 1), rank), per_axis(options.get('dilation', 1), rank)
    return stride, dilation, sides(options.get('padding', 0), kernel, dilation)


def unfold(x, kernel, options):
    """[N, C, …] → [N, C·taps, places]."""
    stride, dilation, margins = geometry(kernel, options)
    mode = options.get('paddingMode', 'zeros')
    padded = np.pad(x, [(0, 0), (0, 0), *margins], mode=NUMPY_PAD_MODES[mode])
    where = taps_and_places(padded.shape[2:], kernel, stride, dilation)
    columns = padded[(slice(None), slice(None), *where)]
    columns = columns.reshape(x.shape[0], x.shape[1] * columns.shape[2], columns.shape[3])
    if len(kernel) == 2 and x.dtype == np.float64 and mode == 'zeros' and all(a == b for a, b in margins) and len(x):
        theirs = F.unfold(torch.tensor(x), kernel, dilation, [a for a, _ in margins], stride)
        assert np.array_equal(columns, theirs.numpy())
    return columns


def fold(columns, output, kernel, options):
    """[N, C·taps, places] → [N, C, …output]: what lands on one element is summed."""
    stride, dilation, margins = geometry(kernel, options)
    padded = [n + a + b for n, (a, b) in zip(output, margins)]
    where = taps_and_places(padded, kernel, stride, dilation)
    n, c = columns.shape[0], columns.shape[1] // int(np.prod(kernel))
    image = np.zeros([n, c, *padded], columns.dtype)
    np.add.at(image, (slice(None), slice(None), *where), columns.reshape(n, c, *np.broadcast_shapes(*(w.shape for w in where))))
    image = image[(slice(None), slice(None), *(slice(a, a + size) for size, (a, _) in zip(output, margins)))]
    if len(kernel) == 2 and columns.dtype == np.float64 and all(a == b for a, b in margins) and n:
        theirs = F.fold(torch.tensor(columns), output, kernel, dilation, [a for a, _ in margins], stride)
        assert np.array_equal(image, theirs.numpy())
    return image


def suffix(dtype, unbatched, extra):
    return ' '.join(word for word in (extra, 'unbatched' if unbatched else '', '' if dtype == 'float32' else dtype) if word)


def in_case_dtype(values, dtype):
    return values if np.dtype(dtype).kind == 'f' else values.astype(dtype)


def unfold_problem(input_shape, kernel, options=None, dtype='float32', extra=''):
    options = dict(options or {})
    # A kernel given as one number leaves the rank to the shape, which is then [N, C, …].
    rank = len(input_shape) - 2 if np.isscalar(kernel) else len(kernel)
    unbatched = len(input_shape) == rank + 1
    id = 'unfold ' + describe(rank, kernel, options, suffix(dtype, unbatched, extra))
    case = Case(id, 'unfold', {'kernelSize': kernel, **options}, dtype)
    x = in_case_dtype(case.draw('input', input_shape), dtype)
    y = unfold(x[None] if unbatched else x, per_axis(kernel, rank), options)
    case.expect('output', y[0] if unbatched else y)
    return case


def fold_problem(batch_and_channels, output, kernel, options=None, dtype='float32', extra=''):
    """batch_and_channels: [N, C], or [C] for an image without a batch axis."""
    options = dict(options or {})
    unbatched = len(batch_and_channels) == 1
    id = 'fold ' + describe(len(output), kernel, options, suffix(dtype, unbatched, extra))
    case = Case(id, 'fold', {'outputSize': output, 'kernelSize': kernel, **options}, dtype)
    taps = per_axis(kernel, len(output))
    stride, dilation, margins = geometry(taps, options)
    places = [(n + a + b - d * (k - 1) - 1) // s + 1 for n, (a, b), k, s, d in zip(output, margins, taps, stride, dilation)]
    shape = [*batch_and_channels[:-1], batch_and_channels[-1] * int(np.prod(taps)), int(np.prod(places))]
    columns = in_case_dtype(case.draw('columns', shape), dtype)
    y = fold(columns[None] if unbatched else columns, output, taps, options)
    case.expect('output', y[0] if unbatched else y)
    return case


def unfolds():
    yield unfold_problem([2, 3, 9], [3])
    yield unfold_problem([2, 3, 9], 4, {'stride': 2, 'padding': 1, 'dilation': 2})
    yield unfold_problem([3, 9], [3], {'padding': [[2, 0]]})
    yield unfold_problem([1, 3, 10, 12], [4, 5], extra="PyTorch's own example")
    yield unfold_problem([2, 3, 5, 6], [3, 2])
    yield unfold_problem([2, 3, 5, 6], 2, {'stride': 2})
    yield unfold_problem([3, 5, 6], [3, 2], {'padding': 1})
    yield unfold_problem([0, 3, 5, 6], [3, 2], extra='batch 0')
    yield unfold_problem([1, 3, 5, 6], [1, 1], extra='pointwise')
    yield unfold_problem([1, 3, 5, 6], [5, 6], extra='one place')
    yield unfold_problem([1, 2, 2, 3], [4, 5], {'padding': [1, 2]}, extra='kernel larger than input')
    yield unfold_problem([1, 2, 7, 6], [3, 3], {'stride': [2, 1], 'padding': [1, 2], 'dilation': [1, 2]})
    yield unfold_problem([1, 2, 7, 6], [3, 3], {'stride': [3, 2], 'padding': [[0, 1], [2, 0]]})
    yield unfold_problem([1, 2, 5, 4], [2, 3], {'padding': 'same'})
    for mode in ('circular', 'reflect', 'replicate'):
        yield unfold_problem([1, 2, 7], [3], {'padding': 2, 'paddingMode': mode})
        yield unfold_problem([1, 2, 5, 4], [3, 2], {'padding': [[2, 1], [0, 3]], 'paddingMode': mode, 'stride': [1, 2]})
        yield unfold_problem([1, 1, 3, 2, 3], [2, 2, 2], {'padding': 1, 'paddingMode': mode, 'dilation': [1, 2, 1]}, dtype='int16')
    yield unfold_problem([2, 2, 3, 4, 3], [2, 3, 2])
    yield unfold_problem([1, 2, 4, 3, 5], [2, 2, 3], {'stride': [2, 1, 2], 'padding': [1, 0, 1], 'dilation': [2, 1, 1]})
    for dtype in DTYPES[1:]:
        yield unfold_problem([2, 2, 4, 5], [3, 2], {'padding': 1, 'stride': [1, 2]}, dtype=dtype)
        yield unfold_problem([1, 2, 7], [3], {'padding': 1}, dtype=dtype)
        yield unfold_problem([1, 1, 3, 3, 4], [2, 2, 2], {'padding': [1, 0, 0]}, dtype=dtype)


def folds():
    yield fold_problem([2, 3], [9], [2])
    yield fold_problem([1, 3], [8], 3, {'stride': 2, 'padding': 1})
    yield fold_problem([1, 3], [9], 3, {'stride': 2, 'padding': [[2, 1]], 'dilation': 2})
    yield fold_problem([2, 2], [4, 5], [3, 2])
    yield fold_problem([1, 1], [6, 6], 2, {'stride': 2}, extra='no overlap')
    yield fold_problem([1, 1], [7, 7], 2, {'stride': 2}, extra='rest untouched')
    yield fold_problem([2], [5, 6], [3, 2], {'padding': [1, 0]})
    yield fold_problem([0, 2], [5, 6], [3, 2], extra='batch 0')
    yield fold_problem([1, 3], [5, 6], [1, 1], extra='pointwise')
    yield fold_problem([1, 3], [5, 6], [5, 6], extra='one place')
    yield fold_problem([1, 2], [7, 6], [3, 3], {'stride': 2, 'padding': [1, 2]})
    yield fold_problem([1, 2], [7, 7], [3, 3], {'stride': 2, 'padding': 1, 'dilation': 2})
    yield fold_problem([1, 2], [5, 4], [2, 3], {'padding': [[0, 1], [2, 0]], 'stride': [2, 1]})
    yield fold_problem([1, 2], [3, 4, 3], [2, 3, 2])
    yield fold_problem([1, 1], [4, 4, 3], [2, 2, 2], {'stride': [2, 1, 1], 'padding': [1, 0, 0], 'dilation': [1, 2, 1]})
    for dtype in DTYPES[1:]:
        yield fold_problem([2, 2], [4, 5], [3, 2], dtype=dtype, extra='sums wrap' if dtype[0] in 'iu' else '')


write_family('torch_unfold_fold', f'{SOURCE} and NumPy', [*unfolds(), *folds()])
