"""Complex matrices: SciPy's structured ones and their systems, CSR, and those of convolutions. Writes scipy_complex_matrix.json.

A complex tensor NAME is two, NAME.re and NAME.im. `rmatvec` is the product with the conjugate transpose, as that of
scipy.sparse.linalg.LinearOperator.
"""

import numpy as np
import scipy
import scipy.linalg as linalg
import scipy.sparse as sparse
from scipy.signal import convolve2d

from golden import Case, write_family


def draw(case, name, shape):
    return case.draw(f'{name}.re', shape) + 1j * case.draw(f'{name}.im', shape)


def give(case, name, values, dtype=None):
    case.give(f'{name}.re', values.real, dtype)
    case.give(f'{name}.im', values.imag, dtype)


def expect(case, name, values):
    case.expect(f'{name}.re', values.real)
    case.expect(f'{name}.im', values.imag)


def expect_matrix(case, dense):
    expect(case, 'dense', dense)
    rows, cols = dense.shape
    expect(case, 'matvec', dense @ draw(case, 'x', [cols]))
    expect(case, 'rmatvec', dense.conj().T @ draw(case, 'y', [rows]))


def structured(kind, id, rows, cols=None, solvable=False):
    case = Case(f'{kind} {id}', kind, dtype='float64')
    c = draw(case, 'c', [rows])
    r = None if cols is None else draw(case, 'r', [cols]).copy()
    if r is not None:
        r[0] = c[-1] if kind == 'hankel' else c[0]
        give(case, 'r', r)
    dense = getattr(linalg, kind)(c) if r is None else getattr(linalg, kind)(c, r)
    expect_matrix(case, dense)
    if solvable:
        solution = (case.rng.randint(-4095, 4096, size=rows) + 1j * case.rng.randint(-4095, 4096, size=rows)) / 1024
        give(case, 'b', dense @ solution)
        condition = float(np.linalg.cond(dense))
        solve = linalg.solve_circulant if kind == 'circulant' else linalg.solve_toeplitz
        found = solve(c if r is None else (c, r), dense @ solution)
        assert np.abs(found - solution).max() <= 1e-12 * condition * np.abs(solution).max()
        expect(case, 'solution', solution)
        case.expect('condition', float(f'{condition:.3g}'))
    return case


def convolution(size, n, mode):
    case = Case(f'convolutionMatrix {size} by {n}, {mode}', 'convolutionMatrix', {'n': n, 'mode': mode}, 'float64')
    expect(case, 'dense', linalg.convolution_matrix(draw(case, 'c', [size]), n, mode))
    return case


def compressed(rows, inner, cols):
    """A sparse matrix whose parts have entries in different places, its product and its sum with others."""
    case = Case(f'csr {rows} by {inner} by {cols}', 'csr', dtype='float64')
    shapes = {'a': [rows, inner], 'b': [inner, cols], 'c': [rows, inner]}
    A, B, C = [give_sparse(case, name, shape) for name, shape in shapes.items()]
    expect_matrix(case, A)
    expect(case, 'product', (sparse.csr_matrix(A) @ sparse.csr_matrix(B)).toarray())
    expect(case, 'sum', (sparse.csr_matrix(A) + sparse.csr_matrix(C)).toarray())
    case.expect('nnz', int(sparse.csr_matrix(A).nnz))
    return case


def give_sparse(case, name, shape):
    parts = [case.rng.randint(-4095, 4096, size=shape) / 1024 * (case.rng.random_sample(shape) < 0.3) for _ in range(2)]
    values = parts[0] + 1j * parts[1]
    give(case, name, values)
    return values


def filtered(kernel, size):
    """The matrix of a cross-correlation: column by column, by convolving unit images with the flipped kernel."""
    case = Case(f'convMatrix {kernel} on {size}', 'convMatrix', {'inputShape': size}, 'float64')
    weight = draw(case, 'weight', kernel)
    units = np.eye(size[0] * size[1]).reshape(-1, *size)
    expect_matrix(case, np.stack([convolve2d(unit, weight[::-1, ::-1], 'valid').ravel() for unit in units], axis=1))
    return case


def cases():
    yield structured('toeplitz', 'Hermitian but for its diagonal', 5)
    yield structured('toeplitz', 'square', 6, 6, solvable=True)
    yield structured('toeplitz', 'square of 33', 33, 33, solvable=True)
    yield structured('toeplitz', 'of one row', 1, 4)
    yield structured('toeplitz', 'of one entry', 1, 1, solvable=True)
    yield structured('toeplitz', 'tall', 7, 4)
    yield structured('toeplitz', 'wide', 3, 8)
    yield structured('toeplitz', 'by default', 9, solvable=True)
    yield structured('circulant', 'of 6', 6, solvable=True)
    yield structured('circulant', 'of 17', 17, solvable=True)
    yield structured('hankel', 'square', 5)
    yield structured('hankel', 'with a row', 4, 6)
    yield structured('hankel', 'tall', 6, 3)
    for mode in ['full', 'same', 'valid']:
        yield convolution(3, 5, mode)
        yield convolution(6, 2, mode)
    yield compressed(5, 4, 6)
    yield compressed(1, 7, 2)
    yield compressed(12, 9, 11)
    yield filtered([2, 3], [4, 5])
    yield filtered([3, 3], [3, 4])


write_family('scipy_complex_matrix', f'SciPy {scipy.__version__}', list(cases()))
