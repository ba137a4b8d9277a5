"""Fixed-point layers, and a small network of them, in Python's integers. Writes fixed_layers.json.

A number is raw / 2^fractionLength. Sums and products are exact fractions; what brings one into a type is `stored`.
"""

import math
import sys
from fractions import Fraction

import numpy as np

from golden import Case, write_family


def rounded(value, rounding):
    below = math.floor(value)
    rest = value - below
    half = Fraction(1, 2)
    if rounding == 'floor':
        return below
    if rounding == 'ceiling':
        return math.ceil(value)
    if rounding == 'zero':
        return math.trunc(value)
    if rounding == 'nearest':
        return below + (rest >= half)
    if rounding == 'round':
        return below + (rest > half or (rest == half and value > 0))
    return below + (rest > half or (rest == half and below % 2 == 1))


def stored(value, t):
    """The stored integer of an exact value."""
    whole = rounded(value * Fraction(2) ** t['fractionLength'], t.get('rounding', 'nearest'))
    low = -2 ** (t['wordLength'] - 1) if t['signed'] else 0
    high = low + 2 ** t['wordLength'] - 1
    if t.get('overflow', 'saturate') == 'wrap':
        return (whole - low) % 2 ** t['wordLength'] + low
    return min(max(whole, low), high)


def value(raw, t):
    return Fraction(int(raw)) / Fraction(2) ** t['fractionLength']


def dtype(t):
    bits = 8 if t['wordLength'] <= 8 else 16 if t['wordLength'] <= 16 else 32
    return ('int' if t['signed'] else 'uint') + str(bits)


def draw(case, name, shape, t):
    low = -2 ** (t['wordLength'] - 1) if t['signed'] else 0
    raw = case.rng.randint(low, low + 2 ** t['wordLength'], size=shape, dtype=np.int64)
    ends = case.rng.uniform(size=shape)
    raw = np.where(ends < 0.1, low, np.where(ends > 0.9, low + 2 ** t['wordLength'] - 1, raw))
    case.give(name, raw, dtype(t))
    return raw


def conv2d(x, xt, w, wt, b, bt, output, stride, padding, groups, accumulate):
    """x [C, H, W], w [O, C/groups, kH, kW]."""
    channels, height, width = x.shape
    outs, per_group, kh, kw = w.shape
    oh, ow = (height + 2 * padding - kh) // stride + 1, (width + 2 * padding - kw) // stride + 1
    y = np.zeros((outs, oh, ow), dtype=np.int64)
    for o in range(outs):
        first = o // (outs // groups) * per_group
        bias = Fraction(0) if b is None else value(b[o], bt)
        for i in range(oh):
            for j in range(ow):
                exact, running = bias, stored(bias, output)
                for c in range(per_group):
                    for p in range(kh):
                        for q in range(kw):
                            row, column = i * stride + p - padding, j * stride + q - padding
                            if not (0 <= row < height and 0 <= column < width):
                                continue
                            product = value(x[first + c, row, column], xt) * value(w[o, c, p, q], wt)
                            exact += product
                            step = value(stored(product, output), output)
                            running = stored(value(running, output) + step, output)
                y[o, i, j] = running if accumulate == 'every-step' else stored(exact, output)
    return y


def t(signed, word, fraction, rounding='nearest', overflow='saturate'):
    return {'signed': signed, 'wordLength': word, 'fractionLength': fraction, 'rounding': rounding, 'overflow': overflow}


ROUNDINGS = ('nearest', 'floor', 'ceiling', 'zero', 'convergent', 'round')


def layer(id, xt, wt, output, bt=None, shape=(4, 5, 6), kernel=(4, 2, 3, 2), stride=1, padding=0, groups=2, accumulate='full'):
    options = {'output': output, 'stride': stride, 'padding': padding, 'groups': groups, 'accumulate': accumulate}
    case = Case(id, 'fixed.conv2d', {'image': xt, 'weight': wt, 'bias': bt, 'options': options}, dtype(output))
    x, w = draw(case, 'image', shape, xt), draw(case, 'weight', kernel, wt)
    b = None if bt is None else draw(case, 'bias', [kernel[0]], bt)
    case.expect('raw', conv2d(x, xt, w, wt, b, bt, output, stride, padding, groups, accumulate))
    return case


def binary(call, id, at, bt, output):
    case = Case(f'{call} {id}', f'fixed.{call}', {'a': at, 'b': bt, 'type': output}, dtype(output))
    a, b = draw(case, 'a', [40], at), draw(case, 'b', [40], bt)
    run = {'add': lambda x, y: x + y, 'multiply': lambda x, y: x * y}[call]
    case.expect('raw', np.array([stored(run(value(x, at), value(y, bt)), output) for x, y in zip(a, b)]))
    return case


def best(id, values, signed, word):
    """The largest fraction length at which the least and the largest value are within the word before they are rounded."""
    low, high = min(0, *values), max(0, *values)
    fraction = None
    for candidate in range(1200, -1200, -1):
        top = 2 ** (word - 1) if signed else 2 ** word
        unit = Fraction(2) ** candidate
        if Fraction(high) * unit < top and (not signed or Fraction(low) * unit >= -top):
            fraction = candidate
            break
    if low == 0 and high == 0 or (not signed and high == 0):
        fraction = word - signed
    case = Case(f'best precision {id}', 'fixed.fi', {'type': {'signed': signed, 'wordLength': word}}, 'float64')
    case.give('values', np.array(values, dtype=np.float64), 'float64')
    full = t(signed, word, fraction)
    case.expect('fractionLength', fraction)
    case.expect('raw', np.array([stored(Fraction(v), full) for v in values]), dtype(full))
    return case


def network(id, types, accumulate='full'):
    """conv 3×3 → ReLU → conv 3×3, stride 2 → ReLU → conv over all that is left: three layers, bit by bit."""
    names = ('image', 'weight1', 'bias1', 'hidden1', 'weight2', 'bias2', 'hidden2', 'weight3', 'bias3', 'scores')
    types = dict(zip(names, types))
    case = Case(f'network {id}', 'network', {'types': types, 'accumulate': accumulate}, dtype(types['scores']))
    x, xt = draw(case, 'image', [1, 10, 10], types['image']), types['image']
    for n, (shape, stride, padding) in enumerate([((3, 1, 3, 3), 1, 1), ((4, 3, 3, 3), 2, 0), ((5, 4, 4, 4), 1, 0)], 1):
        output = types['scores'] if n == 3 else types[f'hidden{n}']
        wt, bt = types[f'weight{n}'], types[f'bias{n}']
        w, b = draw(case, f'weight{n}', shape, wt), draw(case, f'bias{n}', [shape[0]], bt)
        x, xt = conv2d(x, xt, w, wt, b, bt, output, stride, padding, 1, accumulate), output
        if n < 3:
            x = np.maximum(x, 0)
    case.expect('raw', x)
    return case


def cases():
    byte = t(True, 8, 7)
    for rounding in ROUNDINGS:
        for overflow in ('saturate', 'wrap'):
            for accumulate in ('full', 'every-step'):
                yield layer(f'bytes {rounding} {overflow} {accumulate}', byte, byte, t(True, 8, 5, rounding, overflow), t(True, 16, 9), accumulate=accumulate, padding=1, stride=2)
    for accumulate in ('full', 'every-step'):
        yield layer(f'unsigned by signed {accumulate}', t(False, 8, 8), t(True, 6, 3), t(True, 12, 4, 'convergent'), None, accumulate=accumulate)
        yield layer(f'words of 16 {accumulate}', t(True, 16, 12), t(True, 16, 15), t(True, 16, 8, 'round'), t(True, 32, 27), accumulate=accumulate, groups=1, kernel=(3, 4, 2, 2), stride=2)
        yield layer(f'words of 32 {accumulate}', t(True, 32, 31), t(False, 32, 30), t(True, 32, 20, 'zero'), t(True, 32, -3), accumulate=accumulate)
        yield layer(f'far apart {accumulate}', t(True, 8, 2000), t(True, 8, -100), t(False, 16, 1890, 'ceiling'), t(True, 8, 3000), accumulate=accumulate)
        yield layer(f'a bias far above {accumulate}', t(True, 8, 500), t(True, 8, 500), t(True, 16, 990, 'floor', 'wrap'), t(True, 8, -700), accumulate=accumulate)
        yield layer(f'a bias far above, saturated {accumulate}', t(True, 8, 500), t(True, 8, 500), t(True, 16, 990, 'floor'), t(True, 8, -700), accumulate=accumulate)
    types = {'bytes': (byte, t(True, 8, 3), byte), 'words': (t(True, 32, 20), t(False, 32, 31), t(True, 32, 10, 'convergent')),
             'mixed': (t(False, 5, 0), t(True, 17, -4), t(True, 9, -6, 'floor', 'wrap')), 'far': (t(True, 16, 4000), t(True, 16, -4000), t(True, 16, 4005, 'ceiling')),
             'far, wrapping': (t(True, 16, 4000), t(True, 16, -4000), t(True, 16, 4005, 'nearest', 'wrap')), 'far above': (t(True, 16, 4000), t(True, 16, -4000), t(True, 16, -4002, 'floor'))}
    for id, (at, bt, output) in types.items():
        for call in ('add', 'multiply'):
            yield binary(call, id, at, bt, output)
    pi = math.pi
    for id, values in (('pi', [pi]), ('-pi', [-pi, 1]), ('one', [1.0]), ('minus one', [-1.0]), ('-128 to 127', [-128.0, 127.0]), ('128', [128.0]), ('zeros', [0.0, 0.0]),
                       ('small', [1e-300, -3e-301]), ('large', [1e300]), ('below a power', [math.nextafter(4, 0)]), ('subnormal', [5e-324])):
        for signed, word in ((True, 8), (True, 16), (False, 8), (True, 32)):
            yield best(f'{id} {signed} {word}', values, signed, word)
    yield network('of bytes', [t(True, 8, 7), t(True, 8, 6), t(True, 16, 12), t(True, 8, 4), t(True, 8, 7), t(True, 16, 11), t(True, 8, 3), t(True, 8, 7), t(True, 16, 10), t(True, 16, 8)])
    yield network('of words', [t(True, 16, 14), t(True, 16, 13), t(True, 32, 27), t(True, 16, 11), t(True, 16, 14), t(True, 32, 25), t(True, 16, 10), t(True, 16, 14), t(True, 32, 24), t(True, 32, 20)])
    yield network('step by step', [t(True, 8, 7), t(True, 8, 6), t(True, 8, 6), t(True, 12, 6), t(True, 8, 7), t(True, 8, 6), t(True, 12, 5), t(True, 8, 7), t(True, 8, 6), t(True, 16, 8)], 'every-step')


version = '.'.join(map(str, sys.version_info[:3]))
write_family('fixed_layers', f"exact fractions and integers of Python {version}", list(cases()))
