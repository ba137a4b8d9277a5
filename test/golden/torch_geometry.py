"""The library's geometry options in PyTorch's terms."""

import numpy as np
import torch
import torch.nn.functional as F

from golden import per_axis

torch.set_num_threads(1)

SOURCE = 'PyTorch 1.13.1'
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
PAD_MODES = {'zeros': 'constant', 'circular': 'circular', 'reflect': 'reflect', 'replicate': 'replicate'}
NUMPY_PAD_MODES = {'zeros': 'constant', 'circular': 'wrap', 'reflect': 'reflect', 'replicate': 'edge'}


def sides(padding, kernel, dilation):
    """Padding of any form as (before, after) per axis."""
    rank = len(kernel)
    if padding == 'valid':
        return [(0, 0)] * rank
    if padding == 'same':
        # As torch.nn.Conv does it: the odd remainder goes to the end.
        totals = [d * (k - 1) for k, d in zip(kernel, dilation)]
        return [(total // 2, total - total // 2) for total in totals]
    return [tuple(p) if isinstance(p, (list, tuple)) else (p, p) for p in per_axis(padding, rank)]


def pad(x, before_after, mode):
    """Pads the spatial axes of a batched tensor; torch wants the last axis first."""
    flat = [n for pair in reversed(before_after) for n in pair]
    return F.pad(x, flat, mode=PAD_MODES[mode]) if any(flat) else x


def conv(x, w, options, bias=None):
    """convNd of a batched input for any geometry: pad, then a convolution without padding."""
    kernel = list(w.shape[2:])
    rank = len(kernel)
    dilation = per_axis(options.get('dilation', 1), rank)
    padding, mode = options.get('padding', 0), options.get('paddingMode', 'zeros')
    padded = pad(x, sides(padding, kernel, dilation), mode)
    return CONV[rank](padded, w, bias, stride=options.get('stride', 1), dilation=dilation, groups=options.get('groups', 1))


def taps_and_places(padded, kernel, stride, dilation):
    """Index arrays [taps, places], one per axis: where in the padded image a tap of a place lies."""
    places = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(padded, kernel, stride, dilation)]
    tap = np.indices(kernel).reshape(len(kernel), -1, 1)
    place = np.indices(places).reshape(len(kernel), 1, -1)
    return [t * d + p * s for t, p, s, d in zip(tap, place, stride, dilation)]
