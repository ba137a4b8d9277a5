"""Singular values of circular convolutions: NumPy's Fourier transform of the kernel, LAPACK's singular values of what it is
at every frequency. Writes numpy_spectra.json.
"""

import numpy as np

from golden import Case, write_family

SHAPES = [
    ([3, 3, 2, 2], [3, 3]),
    ([5, 2, 3, 3], [4, 5]),
    ([2, 7, 3, 2], [5, 3]),
    ([16, 16, 3, 3], [4, 4]),
    ([1, 6, 3], [7]),
    ([4, 4, 2, 3, 1], [2, 3, 2]),
]


def case(shape, sizes):
    one = Case(f'{shape} on {sizes}', 'convSingularValues', {'inputSpatial': sizes}, 'float64')
    weight = one.draw('weight', shape)
    transfer = np.fft.fftn(weight, sizes, axes=range(2, len(shape)))
    blocks = np.moveaxis(transfer, (0, 1), (-2, -1))
    values = np.linalg.svd(blocks, compute_uv=False)
    one.expect('values', np.sort(values.ravel())[::-1])
    return one


def rank_one():
    """Most values are 0."""
    one = Case('rank one', 'convSingularValues', {'inputSpatial': [3, 2]}, 'float64')
    weight = one.give('weight', np.multiply.outer(np.arange(1.0, 9), np.arange(-3.0, 4)).reshape(8, 7, 1, 1))
    values = np.linalg.svd(weight[:, :, 0, 0], compute_uv=False)
    one.expect('values', np.sort(np.tile(values, 6))[::-1])
    return one


write_family('numpy_spectra', f'NumPy {np.__version__}', [case(*shape) for shape in SHAPES] + [rank_one()])
