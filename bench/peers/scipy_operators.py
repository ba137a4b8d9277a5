"""SciPy's algebra of sparse matrices and its lsqr: one line of JSON per request, one per answer.

{"do": "load", "a": path, "b": path}                        two matrices, as scipy.sparse files
{"do": "multiply" | "add"}                                  milliseconds of one run, nnz, and the result times vector(cols)
{"do": "lsqr", "kernel": base64, "size": n, "iterations": k, "b": base64}
                                                            over fftconvolve of the padded image; milliseconds, and x
"""

import base64
import json
import sys
import time

import numpy as np
import scipy.signal
import scipy.sparse
import scipy.sparse.linalg


def encoded(values):
    return base64.b64encode(np.ascontiguousarray(values, dtype=np.float64).tobytes()).decode('ascii')


def decoded(text):
    return np.frombuffer(base64.b64decode(text), dtype=np.float64)


def vector(length):
    return (np.arange(length) * 7919 % 1024) / 1024 - 0.5


def timed(call):
    start = time.perf_counter()
    result = call()
    return 1000 * (time.perf_counter() - start), result


def lsqr(kernel, size, iterations, b):
    """A reflects its input and convolves it; its transpose adds what was reflected back to where it came from."""
    radius = kernel.shape[0] // 2
    reflected = np.pad(np.arange(size * size).reshape(size, size), radius, mode='reflect').ravel()
    flipped = kernel[::-1, ::-1]

    def matvec(x):
        padded = x.ravel()[reflected].reshape(size + 2 * radius, -1)
        return scipy.signal.fftconvolve(padded, flipped, mode='valid').ravel()

    def rmatvec(y):
        spread = scipy.signal.fftconvolve(y.reshape(size, size), kernel, mode='full').ravel()
        return np.bincount(reflected, weights=spread, minlength=size * size)

    operator = scipy.sparse.linalg.LinearOperator((size * size, size * size), matvec=matvec, rmatvec=rmatvec, dtype=np.float64)
    return scipy.sparse.linalg.lsqr(operator, b, atol=0, btol=0, iter_lim=iterations)[0]


a = b = None
for line in sys.stdin:
    request = json.loads(line)
    what = request['do']
    if what == 'load':
        a, b = scipy.sparse.load_npz(request['a']), scipy.sparse.load_npz(request['b'])
        answer = {'version': scipy.__version__}
    elif what == 'lsqr':
        kernel = decoded(request['kernel'])
        side = int(np.sqrt(kernel.size))
        ms, x = timed(lambda: lsqr(kernel.reshape(side, side), request['size'], request['iterations'], decoded(request['b'])))
        answer = {'ms': ms, 'x': encoded(x)}
    else:
        ms, result = timed(lambda: a @ b if what == 'multiply' else a + b)
        answer = {'ms': ms, 'nnz': int(result.nnz), 'product': encoded(result @ vector(result.shape[1]))}
    print(json.dumps(answer), flush=True)
