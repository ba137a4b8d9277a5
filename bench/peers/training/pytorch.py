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


class Residual(nn.Module):
    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


def block(inputs, outputs, stride):
    body = nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
    )
    if inputs == outputs:
        return [Residual(body), nn.ReLU()]
    shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    return [Residual(body, shortcut), nn.ReLU()]


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


def residual():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        *block(16, 16, 1), *block(16, 32, 2), *block(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )


# As in networks.mjs.
NETWORKS = {
    'lenet': (lenet, {'lr': 0.01}),
    'residual': (residual, {'lr': 0.01, 'momentum': 0.9, 'weight_decay': 5e-4}),
}


def make_step(network, folder):
    def read(name):
        return torch.from_numpy(numpy.fromfile(f'{folder}/{name}.f32', numpy.float32))

    make, sgd = NETWORKS[network]
    net = make()
    values, at = read('parameters'), 0
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(values[at : at + parameter.numel()].reshape(parameter.shape))
            at += parameter.numel()
    labels = read('labels').long()
    images = read('images').reshape(len(labels), 1, 32, 32)
    optimizer = torch.optim.SGD(net.parameters(), **sgd)
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
        step = make_step(request['network'], request['folder'])
        answer = {'losses': [step() for _ in range(STEPS)]}
    else:
        answer = measure(step, request['ms'])
    print(json.dumps(answer), flush=True)
