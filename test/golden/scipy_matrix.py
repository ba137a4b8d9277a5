"""SciPy's structured matrices: toeplitz, circulant, hankel, convolution_matrix, and their systems. Writes scipy_matrix.json.

Right-hand sides are made from a solution on the grid, so the solution is known exactly; SciPy's solver is asserted to
find it too. `condition` is the 2-norm condition number: what an error in the solution is measured against.
"""

import numpy as np
import scipy
import scipy.linalg as linalg

from golden import Case, write_family


def structured(kind, id, c, r=None, dtype='float64', solvable=False):
    """c, r: sizes, whose entries are drawn, or the entries."""
    case = Case(f'{kind} {id}' + ('' if dtype == 'float64' else ' f32'), kind, dtype=dtype)
    c = case.draw('c', [c]) if np.isscalar(c) else case.give('c', np.array(c, dtype=np.float64))
    if r is not None:
        r = case.draw('r', [r]).copy() if np.isscalar(r) else np.array(r, dtype=np.float64)
        if kind == 'toeplitz':
            r[0] = c[0]
        if kind == 'hankel':
            r[0] = c[-1]
        case.give('r', r)
    build = getattr(linalg, kind)
    dense = build(c) if r is None else build(c, r)
    case.expect('dense', dense)
    x, y = case.draw('x', [dense.shape[1]]), case.draw('y', [dense.shape[0]])
    case.expect('matvec', dense @ x)
    case.expect('rmatvec', dense.T @ y)
    if solvable:
        expect_solution(case, kind, c, r, dense)
    return case


def expect_solution(case, kind, c, r, dense):
    solve = linalg.solve_circulant if kind == 'circulant' else linalg.solve_toeplitz
    arguments = c if kind == 'circulant' or r is None else (c, r)
    solution = case.rng.randint(-4095, 4096, size=dense.shape[1]) / 1024
    case.give('b', dense @ solution, 'float64')
    # A float32 system is the float64 one of its rounded entries, which lie on the grid.
    condition = float(np.linalg.cond(dense))
    found = solve(arguments, dense @ solution)
    assert np.abs(found - solution).max() <= 1e-13 * condition * np.abs(solution).max()
    case.expect('solution', solution, 'float64')
    case.expect('condition', float(f'{condition:.3g}'))


def dominant(size, seed):
    """A first column whose diagonal outweighs the rest, on the grid."""
    rng = np.random.RandomState(seed)
    column = rng.randint(-1024, 1025, size=size) / 1024
    column[0] = 2 * size
    return column


def singular(kind, id, c, r=None):
    """A system that SciPy's solver refuses."""
    case = Case(f'{kind} {id}', kind, dtype='float64')
    case.give('c', np.array(c, dtype=np.float64))
    if r is not None:
        case.give('r', np.array(r, dtype=np.float64))
    case.give('b', np.arange(1, len(c) + 1))
    solve = linalg.solve_circulant if kind == 'circulant' else linalg.solve_toeplitz
    arguments = np.array(c, dtype=np.float64) if r is None else (np.array(c, dtype=np.float64), np.array(r, dtype=np.float64))
    try:
        solve(arguments, np.arange(1.0, len(c) + 1))
        raise AssertionError('SciPy solved it')
    except np.linalg.LinAlgError:
        case.expected['error'] = 'SingularError'
    return case


def matrices():
    for dtype in ('float64', 'float32'):
        yield structured('toeplitz', 'square, symmetric', 5, dtype=dtype)
        yield structured('toeplitz', 'square', 6, 6, dtype=dtype)
        yield structured('toeplitz', 'tall', 7, 4, dtype=dtype)
        yield structured('toeplitz', 'wide', 3, 8, dtype=dtype)
        yield structured('circulant', 'of 6', 6, dtype=dtype)
        yield structured('circulant', 'of 7', 7, dtype=dtype)
        yield structured('hankel', 'with zeros below', 5, dtype=dtype)
        yield structured('hankel', 'square', 5, 5, dtype=dtype)
        yield structured('hankel', 'tall', 6, 3, dtype=dtype)
        yield structured('hankel', 'wide', 3, 7, dtype=dtype)
    for kind in ('toeplitz', 'circulant', 'hankel'):
        yield structured(kind, 'of one', 1)
        yield structured(kind, 'of 40', 40)
    yield structured('toeplitz', '33 by 65', 33, 65)
    yield structured('toeplitz', 'of a convolution', [2, -1, 3, 0, 0], [2, 0, 0])


def systems():
    for size in (1, 2, 3, 8, 17, 33):
        yield structured('toeplitz', f'system of {size}, symmetric', dominant(size, size), solvable=True)
        yield structured('toeplitz', f'system of {size}', dominant(size, size), dominant(size, size + 100), solvable=True)
        yield structured('circulant', f'system of {size}', dominant(size, size), solvable=True)
    yield structured('toeplitz', 'system of 8', dominant(8, 1), dominant(8, 2), dtype='float32', solvable=True)
    yield structured('circulant', 'system of 8', dominant(8, 1), dtype='float32', solvable=True)
    yield structured('toeplitz', 'system with little dominance', [4, 1, 2, 0.5, 1.5, -1, 1], [4, -2, 1, 3, -1, 0.25, 0.5], solvable=True)
    yield structured('circulant', 'system with little dominance', [3, 1, 2, 0.5, 1.5, -1, 1], solvable=True)
    yield singular('toeplitz', 'singular: equal entries', [1, 1, 1, 1])
    yield singular('toeplitz', 'singular: zero', [0])
    yield singular('toeplitz', 'a leading minor vanishes', [0, 1, 2], [0, 3, 4])
    yield singular('circulant', 'singular: equal entries', [1, 1, 1, 1])
    yield singular('circulant', 'singular: entries sum to zero', [3, -1, -2])


def convolution_matrices():
    for dtype in ('float64', 'float32'):
        for size, n in ((3, 5), (5, 3), (4, 4), (4, 7), (1, 4), (4, 1), (1, 1), (5, 6)):
            for mode in ('full', 'same', 'valid'):
                if dtype == 'float32' and (size, n) != (4, 7):
                    continue
                case = Case(f'convolutionMatrix of {size} by {n}, {mode}' + ('' if dtype == 'float64' else ' f32'), 'convolutionMatrix', {'n': n, 'mode': mode}, dtype)
                a = case.draw('a', [size])
                case.expect('dense', linalg.convolution_matrix(a, n, mode))
                yield case


write_family('scipy_matrix', f'SciPy {scipy.__version__}', [*matrices(), *systems(), *convolution_matrices()])
