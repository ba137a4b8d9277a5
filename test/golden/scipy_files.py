"""Files as NumPy and SciPy write them, and files that no reader should trust. Writes files/ and scipy_files.json.

A case names its file, and holds what is in it or the word FormatError. Hostile files stay small: they lie about sizes
and do not carry them.
"""

import io
import os
import struct
import zipfile

import numpy as np
import scipy
import scipy.io
import scipy.sparse

from golden import HERE, Case, write_family

FILES = os.path.join(HERE, 'files')
MAGIC = b'\x93NUMPY'


def save(name, content):
    with open(os.path.join(FILES, name), 'wb') as file:
        file.write(content)


def npy(array, version=None):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


def npy_of_header(header, payload=b'', version=1):
    """A version-1 or -2 .npy with a header of our choosing, padded as NumPy pads it."""
    text = header.encode('latin1')
    fixed = len(MAGIC) + 2 + (2 if version == 1 else 4)
    text += b' ' * (-(fixed + len(text) + 1) % 64) + b'\n'
    return MAGIC + bytes([version, 0]) + struct.pack('<H' if version == 1 else '<I', len(text)) + text + payload


def header(descr="'<f4'", order='False', shape='(3,)'):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def readable(call, name, content, expected, note=''):
    save(name, content)
    case = Case(f'{name}{": " + note if note else ""}', call, {'file': name})
    for key, array in expected.items():
        if np.isscalar(array) or isinstance(array, list):
            case.expected[key] = array
        else:
            case.expect(key, array, array.dtype.newbyteorder('=').name)
    return case


def refused(call, name, content, why):
    save(name, content)
    case = Case(f'{name}: {why}', call, {'file': name})
    case.expected['error'] = 'FormatError'
    return case


def zip_of(entries, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', compression) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return buffer.getvalue()


DTYPES = ('float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32')


def sample(dtype, shape=(2, 3, 4)):
    values = np.arange(np.prod(shape)).reshape(shape) * 5 - (60 if np.dtype(dtype).kind != 'u' else 0)
    return (values / 4 if np.dtype(dtype).kind == 'f' else values).astype(dtype)


def npy_files():
    for dtype in DTYPES:
        yield readable('readNpy', f'{dtype}.npy', npy(sample(dtype)), {'tensor': sample(dtype)})
    a = sample('float32')
    yield readable('readNpy', 'fortran.npy', npy(np.asfortranarray(a)), {'tensor': a}, 'column-major')
    yield readable('readNpy', 'big-endian.npy', npy(a.astype('>f4')), {'tensor': a})
    yield readable('readNpy', 'big-endian-int16.npy', npy(sample('int16').astype('>i2')), {'tensor': sample('int16')})
    yield readable('readNpy', 'version2.npy', npy(a, (2, 0)), {'tensor': a})
    yield readable('readNpy', 'version3.npy', npy(a, (3, 0)), {'tensor': a})
    yield readable('readNpy', 'scalar.npy', npy(np.float64(2.5)), {'tensor': np.array(2.5)}, 'no axes')
    yield readable('readNpy', 'vector.npy', npy(a[0, 0]), {'tensor': a[0, 0]})
    yield readable('readNpy', 'empty.npy', npy(np.zeros((0, 3), 'float32')), {'tensor': np.zeros((0, 3), 'float32')})
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324])
    yield readable('readNpy', 'special.npy', npy(special), {'tensor': special})


def hostile_npy():
    good = npy(sample('float32'))
    yield refused('readNpy', 'bad-empty.npy', b'', 'no bytes at all')
    yield refused('readNpy', 'bad-magic.npy', b'NUMPY\x93' + good[6:], 'wrong magic')
    yield refused('readNpy', 'bad-version.npy', MAGIC + b'\x09\x00' + good[8:], 'a version from the future')
    yield refused('readNpy', 'bad-header-cut.npy', good[:30], 'ends within its header')
    yield refused('readNpy', 'bad-header-length.npy', good[:8] + b'\xff\xff' + good[10:], 'a header longer than the file')
    yield refused('readNpy', 'bad-cut.npy', good[:-3], 'ends within its data')
    yield refused('readNpy', 'bad-huge.npy', npy_of_header(header(shape='(1152921504606846976,)')), 'claims 2^60 elements')
    yield refused('readNpy', 'bad-overflow.npy', npy_of_header(header(shape='(4294967296, 4294967296)')), 'claims 2^64 elements')
    yield refused('readNpy', 'bad-negative.npy', npy_of_header(header(shape='(-3,)'), b'\0' * 12), 'a negative size')
    yield refused('readNpy', 'bad-object.npy', npy_of_header(header(descr="'|O'"), b'cposix\nsystem\n.'), 'Python objects')
    yield refused('readNpy', 'bad-structured.npy', npy_of_header(header(descr="[('a', '<f4')]"), b'\0' * 12), 'a structured dtype')
    yield refused('readNpy', 'bad-complex.npy', npy(np.zeros(2, complex)), 'complex numbers')
    yield refused('readNpy', 'bad-int64.npy', npy(np.array([2**40])), 'int64, which no dtype here holds')
    yield refused('readNpy', 'bad-strings.npy', npy(np.array(['a', 'bc'])), 'strings')
    yield refused('readNpy', 'bad-syntax.npy', npy_of_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,"), 'a header that does not end')
    yield refused('readNpy', 'bad-code.npy', npy_of_header("__import__('os').system('true')"), 'code for a header')
    yield refused('readNpy', 'bad-keys.npy', npy_of_header("{'descr': '<f4', 'shape': (3,), }", b'\0' * 12), 'no fortran_order')
    yield refused('readNpy', 'bad-fraction.npy', npy_of_header(header(shape='(1.5,)'), b'\0' * 8), 'a fractional size')


def npz_files():
    a, b = sample('float32'), sample('int32', (5,))
    for name, write in (('stored.npz', np.savez), ('deflated.npz', np.savez_compressed)):
        buffer = io.BytesIO()
        write(buffer, weight=a, labels=b, **{'0.bias': b.astype('float64')})
        yield readable('readNpz', name, buffer.getvalue(), {'weight': a, 'labels': b, '0.bias': b.astype('float64')})
    yield readable('readNpz', 'empty.npz', zip_of([]), {}, 'no arrays')


def hostile_npz():
    good = zip_of([('weight.npy', npy(sample('float32')))])
    deflated = zip_of([('weight.npy', npy(sample('float32')))], zipfile.ZIP_DEFLATED)
    yield refused('readNpz', 'bad-empty.npz', b'', 'no bytes at all')
    yield refused('readNpz', 'bad-not-zip.npz', npy(sample('float32')), 'an .npy by another name')
    yield refused('readNpz', 'bad-cut.npz', good[:-30], 'ends within its directory')
    yield refused('readNpz', 'bad-front.npz', good[40:], 'begins within an entry')
    yield refused('readNpz', 'bad-inner.npz', zip_of([('weight.npy', b'not an array')]), 'an entry that is no .npy')
    yield refused('readNpz', 'bad-inner-huge.npz', zip_of([('weight.npy', npy_of_header(header(shape='(1152921504606846976,)')))]), 'an entry that claims 2^60 elements')
    middle = len(deflated) // 3
    yield refused('readNpz', 'bad-deflate.npz', deflated[:middle] + b'\xff' * 8 + deflated[middle + 8:], 'a broken deflate stream')


def sparse(dtype='float64'):
    rng = np.random.RandomState(7)
    dense = rng.randint(-2048, 2049, size=(5, 7)) / 1024 * (rng.rand(5, 7) < 0.4)
    dense[3] = 0
    return scipy.sparse.csr_matrix(dense.astype(dtype))


def parts(matrix):
    return {'shape': list(matrix.shape), 'indptr': matrix.indptr, 'indices': matrix.indices, 'data': matrix.data}


def sparse_npz(matrix, compressed=True):
    buffer = io.BytesIO()
    scipy.sparse.save_npz(buffer, matrix, compressed)
    return buffer.getvalue()


def sparse_npz_files():
    for dtype in ('float64', 'float32'):
        yield readable('readSparseNpz', f'csr-{dtype}.npz', sparse_npz(sparse(dtype)), parts(sparse(dtype)))
    yield readable('readSparseNpz', 'csr-stored.npz', sparse_npz(sparse(), False), parts(sparse()))
    empty = scipy.sparse.csr_matrix((3, 4))
    yield readable('readSparseNpz', 'csr-empty.npz', sparse_npz(empty), parts(empty), 'no entries')


def hostile_sparse_npz():
    good = sparse()
    def entries(**changed):
        given = {'indices': good.indices, 'indptr': good.indptr, 'format': np.array(b'csr'), 'shape': np.array(good.shape), 'data': good.data}
        given.update(changed)
        return zip_of([(f'{name}.npy', npy(value)) for name, value in given.items() if value is not None])
    def with_last(array, value):
        changed = array.copy()
        changed[-1] = value
        return changed
    yield refused('readSparseNpz', 'bad-csr-no-shape.npz', entries(shape=None), 'no shape')
    yield refused('readSparseNpz', 'bad-csr-no-indptr.npz', entries(indptr=None), 'no indptr')
    yield refused('readSparseNpz', 'bad-csr-format.npz', entries(format=np.array(b'xyz')), 'a format nobody knows')
    yield refused('readSparseNpz', 'bad-csr-index.npz', entries(indices=with_last(good.indices, 7)), 'a column past the last')
    yield refused('readSparseNpz', 'bad-csr-negative.npz', entries(indices=with_last(good.indices, -1)), 'a negative column')
    yield refused('readSparseNpz', 'bad-csr-indptr.npz', entries(indptr=with_last(good.indptr, good.nnz + 1)), 'an indptr past the data')
    falling = good.indptr.copy()
    falling[1:3] = falling[2:0:-1] + [3, 0]
    yield refused('readSparseNpz', 'bad-csr-falling.npz', entries(indptr=falling), 'an indptr that falls')
    yield refused('readSparseNpz', 'bad-csr-rows.npz', entries(shape=np.array([6, 7])), 'a shape with more rows than indptr')


def mtx(text):
    return text.encode()


BANNER = '%%MatrixMarket matrix'


def matrix_market_files():
    buffer = io.BytesIO()
    scipy.io.mmwrite(buffer, sparse())
    yield readable('readMatrixMarket', 'general.mtx', buffer.getvalue(), parts(sparse()), "SciPy's own")
    buffer = io.BytesIO()
    scipy.io.mmwrite(buffer, sparse().toarray())
    dense = sparse()
    yield readable('readMatrixMarket', 'array.mtx', buffer.getvalue(), parts(dense), "SciPy's own, dense")
    texts = {
        'integer.mtx': f'{BANNER} coordinate integer general\n% a comment\n2 3 3\n1 1 4\n2 3 -7\n1 3 5\n',
        'pattern.mtx': f'{BANNER} coordinate pattern general\n2 2 2\n1 2\n2 1\n',
        'symmetric.mtx': f'{BANNER} coordinate real symmetric\n3 3 4\n1 1 1.5\n2 1 2.5e0\n3 2 -3\n3 3 4\n',
        'skew.mtx': f'{BANNER} coordinate real skew-symmetric\n3 3 2\n2 1 2.5\n3 1 -1\n',
        'symmetric-array.mtx': f'{BANNER} array real symmetric\n2 2\n1\n2\n3\n',
        'blank-lines.mtx': f'{BANNER.upper().replace("MATRIXMARKET", "MatrixMarket")} COORDINATE REAL GENERAL\n%\n\n  2 2 1\n\n  2   1\t0.25\n\n',
        'crlf.mtx': f'{BANNER} coordinate real general\r\n2 2 1\r\n2 2 -0.5\r\n',
        'no-entries.mtx': f'{BANNER} coordinate real general\n2 3 0\n',
    }
    for name, text in texts.items():
        matrix = scipy.sparse.csr_matrix(scipy.io.mmread(io.BytesIO(mtx(text))), dtype='float64')
        matrix.sort_indices()
        yield readable('readMatrixMarket', name, mtx(text), parts(matrix))


def hostile_matrix_market():
    head = f'{BANNER} coordinate real general\n'
    for name, text, why in (
        ('bad-empty.mtx', '', 'no bytes at all'),
        ('bad-banner.mtx', '2 2 1\n1 1 1\n', 'no banner'),
        ('bad-kind.mtx', f'{BANNER} lattice real general\n2 2 1\n1 1 1\n', 'a format nobody knows'),
        ('bad-field.mtx', f'{BANNER} coordinate complex general\n2 2 1\n1 1 1 0\n', 'complex numbers'),
        ('bad-size.mtx', f'{head}2 2\n1 1 1\n', 'a size line without its count'),
        ('bad-size-word.mtx', f'{head}2 two 1\n1 1 1\n', 'a size in words'),
        ('bad-fewer.mtx', f'{head}2 2 2\n1 1 1\n', 'fewer entries than it says'),
        ('bad-more.mtx', f'{head}2 2 1\n1 1 1\n2 2 2\n', 'more entries than it says'),
        ('bad-row.mtx', f'{head}2 2 1\n3 1 1\n', 'a row past the last'),
        ('bad-zero.mtx', f'{head}2 2 1\n0 1 1\n', 'row 0: rows count from 1'),
        ('bad-value.mtx', f'{head}2 2 1\n1 1 one\n', 'a value in words'),
        ('bad-short.mtx', f'{head}2 2 1\n1 1\n', 'an entry without its value'),
        ('bad-huge.mtx', f'{head}2 2 1152921504606846976\n1 1 1\n', 'claims 2^60 entries'),
        ('bad-square.mtx', f'{BANNER} coordinate real symmetric\n2 3 1\n1 1 1\n', 'symmetric but not square'),
    ):
        yield refused('readMatrixMarket', name, mtx(text), why)


os.makedirs(FILES, exist_ok=True)
write_family('scipy_files', f'NumPy {np.__version__} and SciPy {scipy.__version__}', [
    *npy_files(), *hostile_npy(), *npz_files(), *hostile_npz(), *sparse_npz_files(), *hostile_sparse_npz(),
    *matrix_market_files(), *hostile_matrix_market(),
])
