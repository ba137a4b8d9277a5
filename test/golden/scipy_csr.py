"""SciPy's algebra of CSR matrices: products, sums, scaling, rows. Writes scipy_csr.json.

Entries lie on a coarse grid and often cancel.
"""

import numpy as np
import scipy
import scipy.sparse as sparse

from golden import Case, write_family


def matrix(case, name, rows, cols, density):
    """CSR with sorted columns and entries in {-2, -1, 1, 2}; every seventh row is empty."""
    dense = np.where(case.rng.rand(rows, cols) < density, case.rng.choice([-2, -1, 1, 2], size=(rows, cols)), 0)
    dense[::7] = 0
    return give(case, name, sparse.csr_matrix(dense.astype(case.dtype)))


def give(case, name, csr):
    case.give(f'{name}.indptr', csr.indptr, 'int32')
    case.give(f'{name}.indices', csr.indices, 'int32')
    case.give(f'{name}.data', csr.data)
    case.args[name] = list(csr.shape)
    return csr


def expect(case, csr):
    csr = csr.tocsr()
    csr.sort_indices()
    case.expect('indptr', csr.indptr, 'int32')
    case.expect('indices', csr.indices, 'int32')
    case.expect('data', csr.data)
    return case


def with_places(case, csr, reached):
    """The values of SciPy at the places that terms reach, which it drops where they cancel and the library keeps."""
    reached = reached.tocsr()
    reached.sort_indices()
    case.expect('indptr', reached.indptr, 'int32')
    case.expect('indices', reached.indices, 'int32')
    case.expect('data', csr.toarray()[reached.nonzero()])
    return case


def product(rows, inner, cols, density, dtype):
    case = Case(f'multiply {rows}x{inner} {inner}x{cols} {density} {dtype}', 'multiply', dtype=dtype)
    a, b = matrix(case, 'a', rows, inner, density), matrix(case, 'b', inner, cols, density)
    return with_places(case, a @ b, abs(a) @ abs(b))


def total(rows, cols, density, dtype):
    case = Case(f'add {rows}x{cols} {density} {dtype}', 'add', dtype=dtype)
    a, b = matrix(case, 'a', rows, cols, density), matrix(case, 'b', rows, cols, density)
    return with_places(case, a + b, abs(a) + abs(b))


def scaled(rows, cols, dtype):
    cases = []
    for call in ('scale', 'scaleRows', 'scaleColumns', 'rows'):
        case = Case(f'{call} {rows}x{cols} {dtype}', call, dtype=dtype)
        a = matrix(case, 'a', rows, cols, 0.3)
        if call == 'scale':
            case.args['alpha'] = -1.5
            expect(case, a * -1.5)
        elif call == 'rows':
            case.args.update({'from': 2, 'to': rows - 1})
            expect(case, a[2 : rows - 1])
        else:
            d = case.draw('d', [rows if call == 'scaleRows' else cols])
            expect(case, sparse.diags(d) @ a if call == 'scaleRows' else a @ sparse.diags(d))
        cases.append(case)
    return cases


cases = [
    product(rows, inner, cols, density, dtype)
    for rows, inner, cols in ((1, 1, 1), (5, 7, 3), (16, 16, 16), (30, 17, 33))
    for density in (0.1, 0.6)
    for dtype in ('float32', 'float64')
]
cases += [total(rows, cols, density, dtype) for rows, cols in ((1, 1), (9, 14), (31, 8)) for density in (0.1, 0.6) for dtype in ('float32', 'float64')]
cases += [case for dtype in ('float32', 'float64') for case in scaled(11, 6, dtype)]
write_family('scipy_csr', f'SciPy {scipy.__version__}', cases)
