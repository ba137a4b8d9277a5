"""PyTorch, by the protocol of gradients.bench.mjs."""

import json
import os
import sys
import time

import numpy
import torch

torch.set_num_threads(int(os.environ['BENCH_THREADS']))
MASKS = {'input': [True, False, False], 'weight': [False, True, False], 'both': [True, True, False]}


def make_backward(request):
    def read(name, *shape):
        return torch.from_numpy(numpy.fromfile(f'{request["folder"]}/{name}.f32', numpy.float32)).reshape(shape)

    batch, ic, oc, size, kernel, out = (request[name] for name in ('batch', 'ic', 'oc', 'size', 'kernel', 'out'))
    x, w, g = read('x', batch, ic, size, size), read('w', oc, ic, kernel, kernel), read('g', batch, oc, out, out)
    stride, padding = [request['stride']] * 2, [request['padding']] * 2

    def backward(what):
        return torch.ops.aten.convolution_backward(
            g, x, w, None, stride, padding, [1, 1], False, [0, 0], 1, MASKS[what]
        )

    return backward


def prepare(request):
    global backward
    backward = make_backward(request)
    for i, what in enumerate(('input', 'weight')):
        backward(what)[i].contiguous().numpy().tofile(f'{request["folder"]}/{request["as"]}.{what}.f32')
    return {}


def measure(request):
    samples = []
    end = time.perf_counter() + request['ms'] / 1000
    while time.perf_counter() < end or len(samples) < 5:
        start = time.perf_counter()
        backward(request['what'])
        samples.append(1000 * (time.perf_counter() - start))
    samples.sort()
    return {'median': samples[len(samples) // 2], 'min': samples[0]}


backward = None
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(prepare(request) if request['do'] == 'prepare' else measure(request)), flush=True)
