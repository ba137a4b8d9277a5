"""The matrix of a convolution, as SciPy's CSR. Writes torch_conv_matrix.json.

An entry stands for one (output element, tap inside the image with a nonzero weight); entries that coincide, as padding
modes make them, are summed into one, which stays even when they cancel. The dense matrix is asserted equal to what
PyTorch's convolution does to every basis vector.
"""

import numpy as np
import scipy.sparse
import torch

from golden import Case, describe, per_axis, write_family
from torch_geometry import NUMPY_PAD_MODES, SOURCE, conv, sides, taps_and_places


def conv_csr(w, input_shape, options):
    kernel, spatial = list(w.shape[2:]), list(input_shape[1:])
    rank = len(kernel)
    stride, dilation = per_axis(options.get('stride', 1), rank), per_axis(options.get('dilation', 1), rank)
    margins = sides(options.get('padding', 0), kernel, dilation)
    mode = options.get('paddingMode', 'zeros')
    pixels = np.arange(np.prod(spatial)).reshape(spatial)
    absent = {'constant_values': -1} if mode == 'zeros' else {}
    padded = np.pad(pixels, margins, mode=NUMPY_PAD_MODES[mode], **absent)
    read = padded[tuple(taps_and_places(padded.shape, kernel, stride, dilation))]  # [taps, places]
    places = read.shape[1]
    groups = options.get('groups', 1)
    rows, columns, values = [], [], []
    for o in range(w.shape[0]):
        group = o // (w.shape[0] // groups)
        for c in range(w.shape[1]):
            for tap, weight in enumerate(w[o, c].reshape(-1)):
                if weight == 0:
                    continue
                for place in np.nonzero(read[tap] >= 0)[0]:
                    rows.append(o * places + place)
                    columns.append((group * w.shape[1] + c) * pixels.size + read[tap, place])
                    values.append(weight)
    shape = (w.shape[0] * places, input_shape[0] * pixels.size)
    matrix = scipy.sparse.coo_matrix((values, (rows, columns)), shape=shape, dtype=np.float64).tocsr()
    matrix.sort_indices()
    return matrix


def problem(input_shape, weight_shape, options=None, dtype='float32', extra='', zeros=(), values=None, plain=False):
    """zeros: flat positions of weights that are zero. plain: a kernel [k…] over an image [spatial…]."""
    options = dict(options or {})
    rank = len(weight_shape) - 2
    sizes = 'x'.join(map(str, input_shape))
    id = describe(rank, weight_shape[2:], options, f'{extra} on {sizes}'.strip()) + ('' if dtype == 'float32' else ' f64')
    case = Case(id, 'convMatrix', {**options, 'inputShape': input_shape[1:] if plain else input_shape}, dtype)
    w = case.draw('weight', weight_shape).copy() if values is None else np.array(values, dtype=np.float64).reshape(weight_shape)
    w.reshape(-1)[list(zeros)] = 0
    case.give('weight', w[0, 0] if plain else w)
    x = case.draw('x', [int(np.prod(input_shape))])
    matrix = conv_csr(w, input_shape, options)

    basis = torch.eye(x.size, dtype=torch.float64).reshape(-1, *input_shape)
    images = conv(basis, torch.tensor(w), options)
    assert np.array_equal(images.reshape(x.size, -1).numpy().T, matrix.toarray())

    y = case.draw('y', [matrix.shape[0]])
    case.expect('outputShape', list(images.shape[1:]))
    case.expect('shape', list(matrix.shape))
    case.expect('indptr', matrix.indptr, 'int32')
    case.expect('indices', matrix.indices, 'int32')
    case.expect('data', matrix.data)
    case.expect('matvec', matrix @ x)
    case.expect('rmatvec', matrix.T @ y)
    return case


MODES = ('zeros', 'circular', 'reflect', 'replicate')


def problems():
    yield problem([1, 3, 3], [1, 1, 2, 2], extra='the textbook', values=[1, 2, 3, 4])
    yield problem([1, 3, 3], [1, 1, 2, 2], extra='plain', plain=True)
    yield problem([1, 7], [1, 1, 3], extra='plain', plain=True)
    yield problem([2, 7], [3, 2, 3])
    yield problem([2, 7], [3, 2, 4], {'stride': 2, 'padding': [[2, 1]], 'dilation': 2}, dtype='float64')
    yield problem([1, 4, 5], [1, 1, 3, 2])
    yield problem([2, 4, 3], [3, 2, 2, 3], {'padding': 1})
    yield problem([3, 3, 4], [2, 3, 1, 1], extra='pointwise')
    yield problem([2, 3, 4], [2, 2, 3, 4], extra='one output')
    yield problem([1, 2, 3], [2, 1, 4, 5], {'padding': [1, 2]}, extra='kernel larger than input')
    yield problem([1, 5, 6], [2, 1, 3, 3], {'stride': [2, 1]})
    yield problem([1, 5, 6], [2, 1, 3, 2], {'stride': 3, 'padding': 1}, dtype='float64')
    yield problem([1, 6, 5], [1, 1, 3, 2], {'dilation': [2, 3]})
    yield problem([4, 3, 4], [4, 2, 2, 2], {'groups': 2, 'padding': [[0, 1], [1, 0]]})
    yield problem([3, 4, 3], [3, 1, 3, 3], {'groups': 3, 'padding': 1}, extra='depthwise')
    yield problem([1, 4, 5], [2, 1, 3, 4], {'padding': 'same'})
    yield problem([2, 4, 5], [3, 2, 3, 3], {'padding': 1}, extra='pruned', zeros=range(0, 54, 2))
    yield problem([2, 4, 5], [2, 2, 3, 3], {'padding': 1}, extra='one tap left', zeros=range(1, 36))
    yield problem([1, 3, 4], [2, 1, 2, 2], extra='all zero', zeros=range(8))
    for mode in MODES:
        given = {'paddingMode': mode}
        yield problem([2, 6], [2, 2, 3], {'padding': 2, **given})
        yield problem([1, 3, 5], [1, 1, 3, 3], {'padding': 1, **given}, values=range(1, 10))
        yield problem([1, 3, 5], [1, 1, 3, 3], {'padding': 2, **given}, dtype='float64')
        yield problem([2, 3, 4], [2, 2, 3, 2], {'padding': [[2, 1], [0, 3]], **given})
        yield problem([1, 5, 4], [2, 1, 3, 3], {'padding': [2, 3], 'stride': 2, **given})
        yield problem([1, 5, 4], [1, 1, 3, 2], {'padding': 2, 'dilation': [1, 2], **given})
        yield problem([4, 3, 3], [2, 2, 3, 2], {'padding': 1, 'groups': 2, **given})
        yield problem([2, 3, 4], [2, 2, 3, 3], {'padding': 2, **given}, extra='pruned', zeros=range(0, 36, 3))
        yield problem([1, 2, 3, 3], [1, 1, 2, 3, 2], {'padding': 1, **given})
    yield problem([1, 3, 4], [1, 1, 3, 3], {'padding': [3, 4], 'paddingMode': 'circular'}, extra='whole turn')
    yield problem([1, 2, 2], [1, 1, 1, 5], {'padding': [0, 2], 'paddingMode': 'circular'}, extra='kernel wider than image')
    yield problem([1, 1, 3], [1, 1, 1, 3], {'padding': [0, 1], 'paddingMode': 'replicate'}, extra='taps cancel', values=[1, -1, 2])
    yield problem([2, 3, 2, 3], [2, 2, 2, 2, 2], {'stride': [1, 1, 2]}, dtype='float64')


write_family('torch_conv_matrix', f'{SOURCE} and SciPy {scipy.__version__}', list(problems()))
