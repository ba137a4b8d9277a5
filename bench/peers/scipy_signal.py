"""SciPy's long convolution: one line of JSON per request, {"signal": n, "kernel": m, "runs": k, "complex": false}, one per answer."""

import json
import sys
import time

import numpy
from scipy.signal import fftconvolve

for line in sys.stdin:
    request = json.loads(line)
    random = numpy.random.RandomState(1)
    a, b = random.rand(request['signal']), random.rand(request['kernel'])
    if request.get('complex'):
        a, b = a + 1j * random.rand(len(a)), b + 1j * random.rand(len(b))
    samples = []
    for _ in range(request['runs']):
        start = time.perf_counter()
        fftconvolve(a, b)
        samples.append(1000 * (time.perf_counter() - start))
    print(json.dumps(samples), flush=True)
