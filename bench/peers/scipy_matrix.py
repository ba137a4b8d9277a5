"""SciPy's sparse matrices: one line of JSON per request, one per answer.

{"do": "make", "weight": base64, "shape": [o, i, k, k], "size": n}   COO parts by NumPy, then tocsr(); milliseconds
{"do": "time", "what": "matvec" | "rmatvec", "runs": k}              milliseconds of each run
{"do": "result"}                                                     y as base64
{"do": "bandwidth"}                                                  GB/s of reading 256 MB, one thread
"""

import base64
import json
import sys
import time

import numpy as np
import scipy.sparse


def timed(call, runs):
    samples = []
    for _ in range(runs):
        start = time.perf_counter()
        result = call()
        samples.append(1000 * (time.perf_counter() - start))
    return samples, result


def make(weight, size):
    """Stride 1, zero padding that keeps the size: what one writes with NumPy, tap by tap."""
    outputs, inputs, height, width = weight.shape
    pixels = np.arange(size * size, dtype=np.int32).reshape(size, size)
    rows, columns, values = [], [], []
    for o in range(outputs):
        for c in range(inputs):
            for p in range(height):
                for q in range(width):
                    if weight[o, c, p, q] == 0:
                        continue
                    dy, dx = p - height // 2, q - width // 2
                    top, bottom = max(0, -dy), min(size, size - dy)
                    left, right = max(0, -dx), min(size, size - dx)
                    row = pixels[top:bottom, left:right].reshape(-1)
                    rows.append(o * size * size + row)
                    columns.append(c * size * size + row + dy * size + dx)
                    values.append(np.full(row.size, weight[o, c, p, q], dtype=np.float32))
    shape = (outputs * size * size, inputs * size * size)
    parts = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return scipy.sparse.coo_matrix(parts, shape=shape).tocsr()


def vector(length):
    return ((np.arange(length) * 7919 % 1024) / 1024 - 0.5).astype(np.float32)


matrix = x = y = transposed = None
for line in sys.stdin:
    request = json.loads(line)
    if request['do'] == 'make':
        weight = np.frombuffer(base64.b64decode(request['weight']), dtype=np.float32).reshape(request['shape'])
        matrix = None
        samples, matrix = timed(lambda: make(weight, request['size']), request['runs'])
        matrix.sort_indices()
        transposed = matrix.T
        x, y = vector(matrix.shape[1]), vector(matrix.shape[0])
        answer = {'samples': samples, 'nnz': int(matrix.nnz)}
    elif request['do'] == 'time':
        call = (lambda: matrix @ x) if request['what'] == 'matvec' else (lambda: transposed @ y)
        answer = {'samples': timed(call, request['runs'])[0]}
    elif request['do'] == 'result':
        answer = {'y': base64.b64encode(matrix @ x).decode('ascii')}
    else:
        data = np.ones(64 << 20, dtype=np.float32)
        best = min(timed(lambda: np.dot(data[: 32 << 20], data[32 << 20 :]), 8)[0])
        answer = {'gigabytes': data.nbytes / best / 1e6}
    print(json.dumps(answer), flush=True)
