"""Convolutions of complex operands, and of a complex and a real one. Writes scipy_complex.json.

scipy.signal.convolve sums directly (method='direct'), and its 'full' is cut as MATLAB cuts it; cconv is the full one, wrapped.
"""

import numpy as np
import scipy
from scipy.signal import convolve

from golden import Case, write_family

# The sizes of both operands, and which of them are complex.
SIZES = [
    ('conv', [7], [3], 'ab'),
    ('conv', [5], [8], 'a'),
    ('conv', [1], [4], 'b'),
    ('conv2', [4, 5], [3, 2], 'ab'),
    ('conv2', [3, 3], [2, 2], 'b'),
    ('convn', [3, 2, 4], [2, 2, 3], 'ab'),
]
CIRCULAR = [([6], [4], 5), ([3], [5], 11), ([4], [4], 1)]


def draw(case, name, shape, is_complex):
    """A complex operand is two tensors, NAME.re and NAME.im."""
    if not is_complex:
        return case.draw(name, shape)
    return case.draw(f'{name}.re', shape) + 1j * case.draw(f'{name}.im', shape)


def window(full, a, b, shape):
    if shape == 'full':
        return full
    start, size = (lambda m, n: -((1 - n) // 2), lambda m, n: m) if shape == 'same' else (lambda m, n: n - 1, lambda m, n: max(m - n + 1, 0))
    return full[tuple(slice(start(m, n), start(m, n) + size(m, n)) for m, n in zip(a, b))]


def cases():
    for call, a, b, which in SIZES:
        for shape in ['full', 'same', 'valid']:
            case = Case(f'{call} {a} by {b}, complex {which}, {shape}', call, {'shape': shape}, 'float64')
            x, y = draw(case, 'a', a, 'a' in which), draw(case, 'b', b, 'b' in which)
            expect(case, window(convolve(x, y, method='direct'), a, b, shape))
            yield case
    for a, b, n in CIRCULAR:
        case = Case(f'cconv {a} by {b} modulo {n}', 'cconv', {'n': n}, 'float64')
        full = convolve(draw(case, 'a', a, True), draw(case, 'b', b, True), method='direct')
        wrapped = np.zeros(n, complex)
        np.add.at(wrapped, np.arange(full.size) % n, full)
        expect(case, wrapped)
        yield case


def expect(case, values):
    case.expect('re', values.real)
    case.expect('im', values.imag)


write_family('scipy_complex', f'SciPy {scipy.__version__}', list(cases()))
