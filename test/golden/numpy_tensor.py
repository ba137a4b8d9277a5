"""Axes in another order, slices, both memory orders and concatenation as NumPy has them. Writes numpy_tensor.json."""

import numpy as np

from golden import Case, write_family

SHAPES = [[4], [3, 5], [2, 3, 4], [1, 4, 1, 3], [2, 0, 3], [17, 3], [2, 3, 18]]
RANGES = [
    [[1]],
    [[None, None, -1]],
    [[None, None, None], [1, -1]],
    [0],
    [-1, [None, 2]],
    [None, [-2, None], [None, None, 2]],
    [[5, 1, -2], [0, 100]],
    [[-100, 2], -1],
    [[2, 1]],
    [[None, None, -3], [None, None, -1]],
]


def case(call, shape, args, dtype):
    one = Case(f'{call} {shape} {args}', call, args, dtype)
    return one, one.draw('x', shape).astype(dtype)


def cases():
    dtypes = ['float32', 'float64', 'int8', 'uint32']
    for n, shape in enumerate(SHAPES):
        dtype = dtypes[n % 4]
        rng = np.random.RandomState(n)
        for axes in {tuple(rng.permutation(len(shape)).tolist()) for _ in range(3)}:
            one, x = case('permute', shape, {'axes': list(axes)}, dtype)
            one.expect('y', np.transpose(x, axes))
            yield one
        one, x = case('transpose', shape, {}, dtype)
        one.expect('y', x.T)
        yield one
        one, x = case('ravel', shape, {'order': 'F'}, dtype)
        one.expect('y', x.ravel('F'))
        yield one
        one, x = case('from', [int(np.prod(shape))], {'shape': shape, 'order': 'F'}, dtype)
        one.expect('y', x.reshape(shape, order='F'))
        yield one
        for ranges in RANGES:
            index = tuple(slice(*r) if isinstance(r, list) and len(r) > 1 else slice(r[0], None) if isinstance(r, list)
                          else slice(None) if r is None else r for r in ranges)
            one, x = case('slice', shape, {'ranges': ranges}, dtype)
            try:
                one.expect('y', x[index])
            except IndexError:
                continue
            yield one
        for axis in range(-1, len(shape)):
            one, x = case('concat', shape, {'axis': axis}, dtype)
            other = list(shape)
            other[axis] += 2
            z = one.draw('z', other).astype(dtype)
            one.expect('y', np.concatenate([x, z, x], axis))
            yield one


write_family('numpy_tensor', f'NumPy {np.__version__}', list(cases()))
