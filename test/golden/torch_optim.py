"""Trajectories of PyTorch's optimisers under given gradients. Writes torch_optim.json.

Each case steps two parameters 60 times in its own dtype; `gradients` holds the gradients of every step, and the
expectations the parameters after some of them. The gradients lie on a grid and do not depend on the parameters.
"""

import numpy as np
import torch

from golden import Case, write_family
from torch_geometry import SOURCE

STEPS = 60
KEPT = [1, 2, 10, 60]
OPTIMISERS = {
    'SGD': torch.optim.SGD,
    'Adagrad': torch.optim.Adagrad,
    'Adam': torch.optim.Adam,
    'AdamW': torch.optim.AdamW,
    'RMSprop': torch.optim.RMSprop,
}
OPTIONS = {'weightDecay': 'weight_decay', 'lrDecay': 'lr_decay', 'initialAccumulatorValue': 'initial_accumulator_value'}


def trajectory(kind, options, dtype, sparse_gradients=False):
    words = [f'{key} {value}' for key, value in options.items()] or ['defaults']
    words += ['gradients mostly zero'] if sparse_gradients else []
    case = Case(f"{kind}, {', '.join(words)}" + (' f64' if dtype == 'float64' else ''), f'optim.{kind}', options, dtype)
    torch_dtype = getattr(torch, dtype)
    parameters = [
        torch.tensor(case.draw(name, shape), dtype=torch_dtype, requires_grad=True)
        for name, shape in (('weight', [2, 3]), ('bias', [3]))
    ]
    gradients = case.draw('gradients', [STEPS, 9]) / 4
    if sparse_gradients:
        gradients = gradients * (case.rng.rand(STEPS, 9) < 0.2)
    case.give('gradients', gradients)
    optimiser = OPTIMISERS[kind](parameters, **{OPTIONS.get(key, key): value for key, value in options.items()})
    for step in range(1, STEPS + 1):
        row = torch.tensor(gradients[step - 1], dtype=torch_dtype)
        parameters[0].grad, parameters[1].grad = row[:6].reshape(2, 3).clone(), row[6:].clone()
        optimiser.step()
        if step in KEPT:
            for name, parameter in zip(('weight', 'bias'), parameters):
                case.expect(f'{name} after {step}', parameter.detach().numpy().copy())
    return case


VARIANTS = {
    'SGD': (
        {'lr': 0.1}, {'lr': 0}, {'lr': 0.02, 'momentum': 0.82}, {'lr': 0.05, 'momentum': 0.9, 'dampening': 0.3},
        {'lr': 0.05, 'momentum': 0.9, 'nesterov': True}, {'lr': 0.1, 'weightDecay': 0.05},
        {'lr': 0.05, 'momentum': 0.9, 'nesterov': True, 'weightDecay': 0.01}, {'lr': 0.05, 'momentum': 0.5, 'dampening': 0.1, 'weightDecay': 0.1},
    ),
    'Adagrad': ({}, {'lr': 0.1}, {'lr': 0.1, 'lrDecay': 0.05}, {'lr': 0.05, 'weightDecay': 0.1}, {'lr': 0.1, 'initialAccumulatorValue': 0.5, 'eps': 1e-3}),
    'Adam': ({}, {'lr': 0.05}, {'lr': 0.01, 'betas': [0.8, 0.95]}, {'lr': 0.02, 'weightDecay': 0.1}, {'lr': 0.02, 'eps': 1e-2}, {'lr': 0.02, 'amsgrad': True}, {'lr': 0.02, 'maximize': True, 'weightDecay': 0.1}),
    'AdamW': ({}, {'lr': 0.05}, {'lr': 0.02, 'weightDecay': 0.2, 'betas': [0.7, 0.99]}, {'lr': 0.02, 'weightDecay': 0}),
    'RMSprop': ({}, {'lr': 0.02, 'alpha': 0.9}, {'lr': 0.01, 'momentum': 0.9}, {'lr': 0.01, 'centered': True}, {'lr': 0.01, 'momentum': 0.5, 'centered': True, 'weightDecay': 0.05}, {'lr': 0.01, 'eps': 1e-2}),
}


def trajectories():
    for kind, variants in VARIANTS.items():
        for options in variants:
            for dtype in ('float64', 'float32'):
                yield trajectory(kind, options, dtype)
        yield trajectory(kind, variants[1], 'float64', sparse_gradients=True)


write_family('torch_optim', SOURCE, list(trajectories()))
