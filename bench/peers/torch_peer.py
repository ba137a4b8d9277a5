"""PyTorch (oneDNN underneath), by the protocol of serve.mjs."""

import json
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as functional

torch.set_num_threads(int(os.environ['BENCH_THREADS']))
torch.set_grad_enabled(False)
BATCH_SECONDS = 0.05e-3


def prepare(layer, folder):
    def read(name, shape):
        return torch.from_numpy(numpy.fromfile(f'{folder}/{name}.f32', numpy.float32)).reshape(shape)

    x = read('input', layer['inputShape'])
    w = read('weight', layer['weightShape'])
    b = read('bias', [-1])
    conv = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[layer['rank']]
    stride, padding, groups = layer['stride'], layer['padding'], layer['groups']
    return lambda: conv(x, w, b, stride, padding, 1, groups)


def measure(run, ms):
    def once(count):
        start = time.perf_counter()
        for _ in range(count):
            run()
        return (time.perf_counter() - start) / count

    first = 1000 * once(1)
    if first > ms:
        return {'median': first, 'min': first}
    batch = max(1, int(BATCH_SECONDS / once(3)) + 1)
    samples = []
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end or len(samples) < 3:
        samples.append(1000 * once(batch))
    samples.sort()
    return {'median': samples[len(samples) // 2], 'min': samples[0]}


run = None
for line in sys.stdin:
    request = json.loads(line)
    answer = {}
    if request['do'] == 'prepare':
        run = prepare(request['layer'], request['folder'])
    elif request['do'] == 'result':
        run().numpy().astype(numpy.float32).tofile(request['file'])
    else:
        answer = measure(run, request['ms'])
    print(json.dumps(answer), flush=True)
