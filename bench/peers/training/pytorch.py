"""PyTorch, by the protocol of serve.mjs."""

import json
import os
import sys
import time

import numpy
import torch
import torch.nn as nn

torch.set_num_threads(int(os.environ['BENCH_THREADS']))
STEPS = 5


def make_step(folder):
    def read(name):
        return torch.from_numpy(numpy.fromfile(f'{folder}/{name}.f32', numpy.float32))

    net = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
    values, at = read('parameters'), 0
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(values[at : at + parameter.numel()].reshape(parameter.shape))
            at += parameter.numel()
    labels = read('labels').long()
    images = read('images').reshape(len(labels), 1, 32, 32)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def measure(step, ms):
    samples = []
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end or len(samples) < 3:
        start = time.perf_counter()
        step()
        samples.append(1000 * (time.perf_counter() - start))
    samples.sort()
    return {'median': samples[len(samples) // 2], 'min': samples[0]}


step = None
for line in sys.stdin:
    request = json.loads(line)
    if request['do'] == 'losses':
        step = make_step(request['folder'])
        answer = {'losses': [step() for _ in range(STEPS)]}
    else:
        answer = measure(step, request['ms'])
    print(json.dumps(answer), flush=True)
