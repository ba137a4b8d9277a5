"""scipy.signal.convolve2d with every boundary. Writes scipy_conv2.json.

'same' of SciPy starts at (k − 1)//2 of 'full', MATLAB's at its ceiling: the same for odd kernels alone.
"""

import scipy
from scipy.signal import convolve2d

from golden import Case, write_family

SIZES = [
    ([5, 7], [3, 3], ['full', 'same']),
    ([4, 6], [1, 5], ['full', 'same']),
    ([3, 4], [2, 4], ['full']),
    ([2, 3], [7, 5], ['full', 'same']),
    ([1, 1], [3, 2], ['full']),
    ([6, 5], [3, 2], ['valid']),
]
BOUNDARIES = [('symm', 0), ('wrap', 0), ('fill', 0), ('fill', -1.5)]


def case(a, b, shape, boundary, fill):
    args = {'shape': shape, 'boundary': boundary}
    if fill != 0:
        args['fillValue'] = fill
    one = Case(f'{a} by {b} {shape} {boundary} {fill}', 'conv2', args, 'float64')
    A, B = one.draw('A', a), one.draw('B', b)
    one.expect('C', convolve2d(A, B, mode=shape, boundary=boundary, fillvalue=fill))
    return one


write_family(
    'scipy_conv2',
    f'SciPy {scipy.__version__}',
    [case(a, b, shape, *boundary) for a, b, shapes in SIZES for shape in shapes for boundary in BOUNDARIES],
)
