"""Files as NumPy and SciPy write them, and files that no reader should trust. Writes files/ and scipy_files.json.

A case names its file, and holds what is in it or the word FormatError. Hostile files stay small: they lie about sizes
and do not carry them.
"""

import gzip
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


def readable(call, name, content, expected, note='', options=None):
    save(name, content)
    args = {'file': name, **({'options': options} if options else {})}
    case = Case(f'{name}{": " + note if note else ""}', call, args)
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
    half = np.array([0, -0.0, 1, -2.5, 65504, 6e-8, -6.1e-5, 1023 * 2.0**-24, np.inf, -np.inf, np.nan, 1 / 3], 'float16')
    yield readable('readNpy', 'float16.npy', npy(half), {'tensor': half.astype('float32')}, 'becomes float32')
    yield readable('readNpy', 'big-endian-float16.npy', npy(half.astype('>f2')), {'tensor': half.astype('float32')})
    # bfloat16 is no dtype of NumPy's: libraries that add it have it written as a void of two bytes.
    brain = np.array([0, -0.0, 1, -2.5, 3.3895314e38, 1e-40, np.inf, -np.inf, np.nan, 0.333984375], 'float32')
    words = (brain.view('uint32') >> 16).astype('uint16')
    widened = (words.astype('uint32') << 16).view('float32')
    for name, descr in (('bfloat16.npy', "'<V2'"), ('bfloat16-void.npy', "'|V2'"), ('bfloat16-named.npy', "'bfloat16'")):
        content = npy_of_header(header(descr, shape=f'({len(words)},)'), words.tobytes())
        yield readable('readNpy', name, content, {'tensor': widened}, 'becomes float32')
    yield readable('readNpy', 'bool.npy', npy(np.array([True, False])), {'tensor': np.array([1, 0], 'uint8')})
    longs = np.array([2**31 - 1, -2**31, 0])
    yield readable('readNpy', 'int64.npy', npy(longs), {'tensor': longs.astype('int32')}, 'that fit in 32 bits')
    longs = np.array([2**40, -2**53, 2**53 + 1, -1, 2**62 + 1])
    yield readable('readNpy', 'wide-int64.npy', npy(longs), {'tensor': longs.astype('float64')}, options={'int64': 'float64'})
    longs = np.array([2**64 - 1, 2**53 + 1, 0, 2**31], 'uint64')
    yield readable('readNpy', 'wide-uint64.npy', npy(longs), {'tensor': longs.astype('float64')}, options={'int64': 'float64'})
    for dtype in ('complex64', 'complex128', '>c8'):
        z = (sample('float32') + 1j * sample('float64')[::-1]).astype(dtype)
        name = {'>c8': 'big-endian-complex64.npy'}.get(dtype, f'{dtype}.npy')
        native = z.astype(z.dtype.newbyteorder('='))
        yield readable('readNpy', name, npy(z), {'re': native.real, 'im': native.imag})
    z = np.asfortranarray(sample('float32') + 1j * sample('float32')[::-1])
    yield readable('readNpy', 'fortran-complex.npy', npy(z), {'re': z.real.copy(), 'im': z.imag.copy()})
    yield readable('readNpy', 'python2.npy', npy_of_header(header(shape='(3L, 1L)'), a[0, 0, :3].tobytes()), {'tensor': a[0, 0, :3].reshape(3, 1)}, 'sizes as Python 2 wrote them')
    odd = '{"shape":(3,),"fortran_order":False,"descr":"<f4"}'
    yield readable('readNpy', 'double-quotes.npy', npy_of_header(odd, a[0, 0, :3].tobytes()), {'tensor': a[0, 0, :3]})


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
    yield refused('readNpy', 'bad-longdouble.npy', npy(np.zeros(2, 'longdouble')), 'floats of 80 bits')
    yield refused('readNpy', 'bad-dates.npy', npy(np.array(['2020-01-01'], 'M8[D]')), 'dates')
    yield refused('readNpy', 'bad-axes.npy', npy_of_header(header(shape=f'({"1," * 65})'), b'\0' * 4), 'more axes than NumPy has')
    yield refused('readNpy', 'bad-large-empty.npy', npy_of_header(header(shape='(4294967296, 0)')), 'a size past what an index counts')
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
    for name, write in (('mixed.npz', np.savez), ('mixed-deflated.npz', np.savez_compressed)):
        buffer = io.BytesIO()
        unreadable = {
            'labels': np.array(['a', 'b']), 'bytes': np.array([b'ab']), 'objects': np.array([None, {}], object),
            'dates': np.array(['2020-01-01'], 'M8[D]'), 'records': np.zeros(2, [('a', 'f4'), ('b (c)', 'i8', (2,))]),
            'wide': np.array([2**40]),
        }
        half = np.array([0.5, -2], 'float16')
        write(buffer, w=a, half=half, **unreadable, **{'__proto__': b})
        case = readable('readNpz', name, buffer.getvalue(), {'w': a, 'half': half.astype('float32'), '__proto__': b})
        case.expected['unreadable'] = list(unreadable)
        yield case
    yield readable('readNpz', 'commented.npz', with_comment(zip_of([('weight.npy', npy(a))]), b'PK\x05\x06 is the end of a directory, and this is not'), {'weight': a}, 'a comment with a signature in it')


def with_comment(content, comment):
    return content[:-2] + struct.pack('<H', len(comment)) + comment


def hostile_npz():
    good = zip_of([('weight.npy', npy(sample('float32')))])
    deflated = zip_of([('weight.npy', npy(sample('float32')))], zipfile.ZIP_DEFLATED)
    yield refused('readNpz', 'bad-empty.npz', b'', 'no bytes at all')
    yield refused('readNpz', 'bad-not-zip.npz', npy(sample('float32')), 'an .npy by another name')
    yield refused('readNpz', 'bad-cut.npz', good[:-30], 'ends within its directory')
    yield refused('readNpz', 'bad-front.npz', good[40:], 'begins within an entry')
    yield refused('readNpz', 'bad-inner.npz', zip_of([('weight.npy', b'not an array')]), 'an entry that is no .npy')
    yield refused('readNpz', 'bad-inner-huge.npz', zip_of([('weight.npy', npy_of_header(header(shape='(1152921504606846976,)')))]), 'an entry that claims 2^60 elements')
    at = good.index(b'\x93NUMPY') + 140
    yield refused('readNpz', 'bad-bit.npz', good[:at] + bytes([good[at] ^ 4]) + good[at + 1:], 'one bit that is another')
    yield refused('readNpz', 'bad-overlap.npz', overlapping(), 'members that share their bytes')
    yield refused('readNpz', 'checkpoint.pt', zip_of([('model/data.pkl', b'\x80\x02}q\x00.'), ('model/data/0', bytes(16))]), 'a PyTorch checkpoint')
    hidden = zip_of([('a.npy', npy(sample('float32'))), ('a', npy(sample('float32')))])
    yield refused('readNpz', 'bad-twice.npz', hidden, 'two arrays of one name')
    middle = len(deflated) // 3
    yield refused('readNpz', 'bad-deflate.npz', deflated[:middle] + b'\xff' * 8 + deflated[middle + 8:], 'a broken deflate stream')


def overlapping():
    """Two names in the directory for the bytes of one member."""
    one = zip_of([('a.npy', npy(sample('float32')))])
    start = one.index(b'PK\x01\x02')
    end = one.index(b'PK\x05\x06')
    entry = one[start:end]
    directory = entry + entry.replace(b'a.npy', b'b.npy')
    return one[:start] + directory + struct.pack('<4s4H2IH', b'PK\x05\x06', 0, 0, 2, 2, len(directory), start, 0)


def sparse(dtype='float64'):
    rng = np.random.RandomState(7)
    dense = rng.randint(-2048, 2049, size=(5, 7)) / 1024 * (rng.rand(5, 7) < 0.4)
    dense[3] = 0
    return scipy.sparse.csr_matrix(dense.astype(dtype))


def parts(matrix):
    data = {'data.re': matrix.data.real, 'data.im': matrix.data.imag} if np.iscomplexobj(matrix) else {'data': matrix.data}
    return {'shape': list(matrix.shape), 'indptr': matrix.indptr, 'indices': matrix.indices, **data}


def sparse_npz(matrix, compressed=True):
    buffer = io.BytesIO()
    scipy.sparse.save_npz(buffer, matrix, compressed)
    return buffer.getvalue()


def sparse_npz_files():
    for dtype in ('float64', 'float32'):
        yield readable('readSparseNpz', f'csr-{dtype}.npz', sparse_npz(sparse(dtype)), parts(sparse(dtype)))
    for dtype in ('complex64', 'complex128'):
        complex_one = (sparse() * (2 - 1j)).astype(dtype)
        for kind in ('csr', 'csc', 'coo'):
            yield readable('readSparseNpz', f'{kind}-{dtype}.npz', sparse_npz(complex_one.asformat(kind)), parts(complex_one))
    yield readable('readSparseNpz', 'csr-stored.npz', sparse_npz(sparse(), False), parts(sparse()))
    yield readable('readSparseNpz', 'csc.npz', sparse_npz(sparse().tocsc()), parts(sparse()))
    yield readable('readSparseNpz', 'coo.npz', sparse_npz(sparse().tocoo()), parts(sparse()))
    yield readable('readSparseNpz', 'csr-array.npz', sparse_npz(scipy.sparse.csr_array(sparse())), parts(sparse()), 'a sparse array')
    for dtype in ('int64', 'bool', 'uint8'):
        ones = (sparse() != 0).astype(dtype)
        yield readable('readSparseNpz', f'csr-{dtype}.npz', sparse_npz(ones), parts(ones.astype('float64')))
    wide = sparse().copy()
    wide.indices, wide.indptr = wide.indices.astype('int64'), wide.indptr.astype('int64')
    yield readable('readSparseNpz', 'csr-wide-indices.npz', sparse_npz(wide), parts(sparse()), '64-bit indices')
    large = (sparse() != 0).astype('int64') * 2**40
    yield readable('readSparseNpz', 'csr-large-integers.npz', sparse_npz(large), parts(large.astype('float64')))
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
    yield refused('readSparseNpz', 'bsr.npz', sparse_npz(scipy.sparse.bsr_matrix(np.eye(4), blocksize=(2, 2))), 'blocks: the format is not read')
    yield refused('readSparseNpz', 'dia.npz', sparse_npz(scipy.sparse.eye(3, format='dia')), 'diagonals: the format is not read')
    yield refused('readSparseNpz', 'bad-csr-complex.npz', entries(indices=good.indices.astype(complex)), 'complex columns')
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
# Around the ends of what is exact without a library, and what rounds to even.
DIGITS = ('999999999999999e22', '1234567890123456789', '9007199254740993', '0.000000000000000000000123456789012345', '4.9e-324', '000000000000000000001e-5')


def matrix_market_files():
    buffer = io.BytesIO()
    scipy.io.mmwrite(buffer, sparse())
    yield readable('readMatrixMarket', 'general.mtx', buffer.getvalue(), parts(sparse()), "SciPy's own")
    buffer = io.BytesIO()
    scipy.io.mmwrite(buffer, sparse().toarray())
    dense = sparse()
    yield readable('readMatrixMarket', 'array.mtx', buffer.getvalue(), parts(dense), "SciPy's own, dense")
    complex_one = sparse() * (2 - 1j)
    complex_one.data[::2] = complex_one.data[::2].real
    for name, matrix in (('complex.mtx', complex_one), ('complex-array.mtx', complex_one.toarray())):
        buffer = io.BytesIO()
        scipy.io.mmwrite(buffer, matrix)
        yield readable('readMatrixMarket', name, buffer.getvalue(), parts(complex_one), "SciPy's own")
    complex_texts = {
        'complex-symmetric.mtx': f'{BANNER} coordinate complex symmetric\n3 3 4\n1 1 1.5 -1\n2 1 2.5e0 0\n3 2 -3 4\n3 3 0 1\n',
        'complex-skew.mtx': f'{BANNER} coordinate complex skew-symmetric\n3 3 2\n2 1 2.5 1\n3 1 -1 0.5\n',
        'complex-hermitian.mtx': f'{BANNER} coordinate complex hermitian\n3 3 4\n1 1 1.5 0\n2 1 2.5 -7\n3 2 -3 4\n3 3 2 0\n',
        'complex-hermitian-array.mtx': f'{BANNER} array complex hermitian\n2 2\n1 0\n2 -3\n0 0\n',
        'complex-skew-array.mtx': f'{BANNER} array complex skew-symmetric\n3 3\n1 2\n0 -3\n4 0\n',
        'complex-twice.mtx': f'{BANNER} coordinate complex general\n2 2 3\n1 2 1 5\n2 1 0 1\n1 2 -1 2\n',
    }
    for name, text in complex_texts.items():
        matrix = scipy.sparse.csr_matrix(scipy.io.mmread(io.BytesIO(mtx(text))), dtype='complex128')
        matrix.sort_indices()
        yield readable('readMatrixMarket', name, mtx(text), parts(matrix))
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
    diagonal = lambda *values: scipy.sparse.csr_matrix(np.diag(values))
    nan, inf = np.nan, np.inf
    dialects = {
        'unsigned.mtx': (f'{BANNER} coordinate unsigned-integer general\n2 2 2\n1 1 3\n2 2 4294967295\n', diagonal(3.0, 4294967295)),
        'double.mtx': (f'{BANNER} coordinate double general\n2 2 2\n1 1 3.5\n2 2 -1e-300\n', diagonal(3.5, -1e-300)),
        'hermitian.mtx': (f'{BANNER} coordinate real hermitian\n2 2 2\n1 1 3\n2 1 4\n', scipy.sparse.csr_matrix([[3.0, 4], [4, 0]])),
        'special.mtx': (
            f'{BANNER} coordinate real general\n9 9 9\n' + ''.join(f'{i} {i} {word}\n' for i, word in enumerate(
                '-nan Infinity -INF +inf NaN(0x1) -nan(ind) 1.#QNAN0 -1.#INF00 +infinity'.split(), 1)),
            diagonal(nan, inf, -inf, inf, nan, nan, nan, -inf, inf),
        ),
        'fortran.mtx': (
            f'{BANNER} coordinate real general\n7 7 7\n' + ''.join(f'{i} {i} {word}\n' for i, word in enumerate(
                '1.5D+02 -1.d0 .5 5. 1.25-100 +7 1.7976931348623157E+308'.split(), 1)),
            diagonal(150, -1, 0.5, 5, 1.25e-100, 7, 1.7976931348623157e308),
        ),
        'digits.mtx': (
            f'{BANNER} array real general\n6 1\n' + ''.join(f'{word}\n' for word in DIGITS),
            scipy.sparse.csr_matrix(np.array([[float(word)] for word in DIGITS])),
        ),
        'byte-order-mark.mtx': ('\ufeff' + f'{BANNER} coordinate real general\n1 1 1\n1 1 2', diagonal(2.0)),
        'no-symmetry.mtx': (f'{BANNER} coordinate real\n1 1 1\n1 1 2\n', diagonal(2.0)),
        'unsigned-array.mtx': (f'{BANNER} array unsigned-integer general\n2 1\n1\n2\n', scipy.sparse.csr_matrix([[1.0], [2]])),
    }
    for name, (text, matrix) in dialects.items():
        yield readable('readMatrixMarket', name, mtx(text), parts(matrix.astype('float64')))
    buffer = io.BytesIO()
    scipy.io.mmwrite(buffer, sparse())
    packed = gzip.compress(buffer.getvalue(), mtime=0)
    yield readable('readMatrixMarket', 'general.mtx.gz', packed, parts(sparse()), 'compressed')
    halves = b''.join(gzip.compress(half, mtime=0) for half in (buffer.getvalue()[:90], buffer.getvalue()[90:]))
    yield readable('readMatrixMarket', 'halves.mtx.gz', halves, parts(sparse()), 'two streams of gzip, one behind the other')
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
        ('bad-field.mtx', f'{BANNER} coordinate boolean general\n2 2 1\n1 1 1\n', 'a field nobody knows'),
        ('bad-complex.mtx', f'{BANNER} coordinate complex general\n2 2 1\n1 1 1\n', 'a complex entry without its imaginary part'),
        ('bad-complex-array.mtx', f'{BANNER} array complex general\n1 1\n1 2 3\n', 'a complex value of three numbers'),
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
    good = gzip.compress(mtx(f'{head}2 2 1\n1 1 1\n'), mtime=0)
    yield refused('readMatrixMarket', 'bad-cut.mtx.gz', good[:-9], 'ends within its compressed data')
    yield refused('readMatrixMarket', 'bad-sum.mtx.gz', good[:-8] + b'\0\0\0\0' + good[-4:], 'a checksum of other data')
    long = f'{head}1 1 1\n1 1 {" " * 70000}1\n'
    yield refused('readMatrixMarket', 'bad-line.mtx.gz', gzip.compress(mtx(long), mtime=0), 'a line of 70,000 characters')


os.makedirs(FILES, exist_ok=True)
write_family('scipy_files', f'NumPy {np.__version__} and SciPy {scipy.__version__}', [
    *npy_files(), *hostile_npy(), *npz_files(), *hostile_npz(), *sparse_npz_files(), *hostile_sparse_npz(),
    *matrix_market_files(), *hostile_matrix_market(),
])
