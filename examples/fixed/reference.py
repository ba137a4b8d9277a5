"""The networks of train.mjs in Python's integers: prints whether every score is the same, bit by bit."""

import sys

import numpy as np


def stored(value, shift, word):
    """value / 2^shift, to the nearest, ties up, saturated."""
    whole = value << -shift if shift <= 0 else (value + (1 << (shift - 1))) >> shift
    return min(max(whole, -(1 << (word - 1))), (1 << (word - 1)) - 1)


def layer(x, weight, bias, places, numbers):
    weight_fraction, bias_fraction, fraction, word, stride, padding, rectified = numbers
    sum_places = places + weight_fraction
    assert bias_fraction == sum_places
    outs, channels, kh, kw = len(weight), len(weight[0]), len(weight[0][0]), len(weight[0][0][0])
    height, width = len(x[0]), len(x[0][0])
    result = []
    for o in range(outs):
        plane = []
        for i in range((height + 2 * padding - kh) // stride + 1):
            row = []
            for j in range((width + 2 * padding - kw) // stride + 1):
                total = bias[o]
                for c in range(channels):
                    for p in range(kh):
                        r = i * stride + p - padding
                        if not 0 <= r < height:
                            continue
                        line, taps = x[c][r], weight[o][c][p]
                        for q in range(kw):
                            s = j * stride + q - padding
                            if 0 <= s < width:
                                total += line[s] * taps[q]
                value = stored(total, sum_places - fraction, word)
                row.append(max(value, 0) if rectified else value)
            plane.append(row)
        result.append(plane)
    return result, fraction


differing = 0
for path in sys.argv[1:]:
    arrays = np.load(path)
    for image, scores in zip(arrays['image'].tolist(), arrays['scores'].tolist()):
        x, places = image, int(arrays['image_fraction'])
        for i in range(sum(name.startswith('weight') for name in arrays.files)):
            x, places = layer(x, *(arrays[f'{name}{i}'].tolist() for name in ('weight', 'bias')), places, arrays[f'numbers{i}'].tolist())
        differing += x != scores
    print(f'{path}: {"the same bits as" if differing == 0 else "OTHER BITS THAN"} in Python')
sys.exit(1 if differing else 0)
