"""MATLAB's fi arithmetic by exact integers and fractions. Writes fixed.json.

There is no MATLAB to ask: this is its definition, in Python's unbounded numbers, and shares nothing with the library.
A value is stored as the integer round(value·2^fractionLength), saturated or wrapped to the word.
"""

import itertools
import math
from fractions import Fraction

import numpy as np

from golden import Case, write_family

HALF = Fraction(1, 2)


def half_to_even(x):
    return round(x)  # of a Fraction, Python rounds half to even


def half_away(x):
    return math.floor(x + HALF) if x >= 0 else math.ceil(x - HALF)


ROUND = {
    'nearest': lambda x: math.floor(x + HALF),  # ties toward +∞
    'floor': math.floor,
    'ceiling': math.ceil,
    'zero': math.trunc,
    'convergent': half_to_even,
    'round': half_away,
}


def bounds(type):
    word = type['wordLength']
    return (-(1 << (word - 1)), (1 << (word - 1)) - 1) if type['signed'] else (0, (1 << word) - 1)


def quantise(value, type):
    """A Fraction, or an infinity, as the stored integer."""
    low, high = bounds(type)
    if value in (math.inf, -math.inf):
        assert type.get('overflow', 'saturate') == 'saturate'
        return high if value > 0 else low
    stored = ROUND[type.get('rounding', 'nearest')](value * Fraction(2) ** type['fractionLength'])
    if type.get('overflow', 'saturate') == 'saturate':
        return min(max(stored, low), high)
    return (stored - low) % (high - low + 1) + low


def real(stored, type):
    return Fraction(stored) / Fraction(2) ** type['fractionLength']


def dtype_of(type):
    """The narrowest dtype that holds the word."""
    width = next(bits for bits in (8, 16, 32) if type['wordLength'] <= bits)
    return f"{'int' if type['signed'] else 'uint'}{width}"


def name(type):
    words = [f"{'s' if type['signed'] else 'u'}{type['wordLength']}.{type['fractionLength']}"]
    return ' '.join([*words, *(type[key] for key in ('rounding', 'overflow') if key in type)])


def numeric(signed, word, fraction, rounding=None, overflow=None):
    type = {'signed': signed, 'wordLength': word, 'fractionLength': fraction}
    return {**type, **({'rounding': rounding} if rounding else {}), **({'overflow': overflow} if overflow else {})}


def fi_problem(type, infinities=True):
    case = Case(f'fi {name(type)}', 'fi', {'type': type}, 'float64')
    step = Fraction(1) / Fraction(2) ** type['fractionLength']
    low, high = bounds(type)
    # Ties and their neighbours about zero and the ends of the range, then anything.
    near = [Fraction(quarter, 4) for quarter in range(-14, 15)]
    ends = [end + offset for end in (low, high) for offset in (-1, -HALF, Fraction(-1, 4), 0, Fraction(1, 4), HALF, 1)]
    scattered = [Fraction(int(n), 7) for n in case.rng.randint(-7 * 4096, 7 * 4096, size=24)]
    wild = [Fraction(3 * low - 5), Fraction(3 * high + 5), Fraction(2) ** 40 + HALF, -Fraction(2) ** 40 - HALF]
    values = [float(stored * step) for stored in [*near, *ends, *scattered, *wild]]
    if infinities:
        values += [math.inf, -math.inf, -0.0]
    case.give('values', np.array(values))
    # What the library is given are the doubles, not what they were made from.
    stored = [quantise(v if math.isinf(v) else Fraction(v), type) for v in values]
    case.expect('raw', np.array(stored, dtype=np.int64), dtype_of(type))
    case.expect('values', np.array([float(real(s, type)) for s in stored]))
    return case


def fi_problems():
    for rounding, overflow in itertools.product(ROUND, ('saturate', 'wrap')):
        for signed, word, fraction in ((True, 8, 7), (False, 8, 3), (True, 5, 2), (True, 16, 20), (False, 12, -4), (True, 32, 16)):
            yield fi_problem(numeric(signed, word, fraction, rounding, overflow), infinities=overflow == 'saturate')
    for word in range(1, 33):
        for signed in (True, False):
            yield fi_problem(numeric(signed, word, word // 2))
    for fraction in (-40, -8, -1, 0, 33, 52):
        yield fi_problem(numeric(True, 13, fraction))


def conv2(image, kernel, image_type, kernel_type, options):
    """One plane of stored integers; the kernel is flipped."""
    flipped = [row[::-1] for row in kernel[::-1]]
    (h, w), (kh, kw) = (len(image), len(image[0])), (len(kernel), len(kernel[0]))
    shape = options.get('shape', 'valid')
    if shape == 'valid':
        rows, columns = range(0, h - kh + 1), range(0, w - kw + 1)
    elif shape == 'full':
        rows, columns = range(1 - kh, h), range(1 - kw, w)
    else:
        rows = range(kh // 2 - kh + 1, kh // 2 - kh + 1 + h)
        columns = range(kw // 2 - kw + 1, kw // 2 - kw + 1 + w)
    output = options['output']
    scale = Fraction(1) / Fraction(2) ** (image_type['fractionLength'] + kernel_type['fractionLength'] + options.get('productShift', 0))

    def product(i, j, p, q):
        inside = 0 <= i + p < h and 0 <= j + q < w
        return image[i + p][j + q] * flipped[p][q] * scale if inside else Fraction(0)

    result = []
    for i in rows:
        for j in columns:
            taps = [product(i, j, p, q) for p in range(kh) for q in range(kw)]
            if options.get('accumulate', 'full') == 'full':
                result.append(quantise(sum(taps), output))
                continue
            total = Fraction(0)
            for tap in taps:
                total = real(quantise(total + real(quantise(tap, output), output), output), output)
            result.append(quantise(total, output))
    return np.array(result, dtype=np.int64).reshape(len(rows), len(columns))


def draw_stored(case, shape, type, extreme):
    low, high = bounds(type)
    if extreme:
        return case.rng.choice([low, low + 1, high - 1, high], size=shape).astype(object)
    return case.rng.randint(low, high + 1, size=shape, dtype=np.int64).astype(object)


def conv_problem(image_shape, kernel_shape, image_type, kernel_type, options, extreme=False):
    sizes = f"{'x'.join(map(str, image_shape))} by {'x'.join(map(str, kernel_shape))}"
    words = [options[key] for key in ('shape', 'accumulate') if key in options]
    words += [f"shift {options['productShift']}"] if 'productShift' in options else []
    words += ['extremes'] if extreme else []
    id = f"conv2 {sizes}, {name(image_type)} by {name(kernel_type)} to {name(options['output'])}" + ''.join(f', {word}' for word in words)
    case = Case(id, 'fixed.conv2', {'image': image_type, 'kernel': kernel_type, 'options': options}, 'float64')
    image = draw_stored(case, image_shape, image_type, extreme)
    kernel = draw_stored(case, kernel_shape, kernel_type, extreme)
    case.give('image', np.array([float(real(int(s), image_type)) for s in image.reshape(-1)]).reshape(image_shape))
    case.give('kernel', np.array([float(real(int(s), kernel_type)) for s in kernel.reshape(-1)]).reshape(kernel_shape))
    planes = image if image.ndim == 3 else image[:, :, None]
    results = [
        conv2([[int(s) for s in row] for row in planes[:, :, p]], [[int(s) for s in row] for row in kernel], image_type, kernel_type, options)
        for p in range(planes.shape[2])
    ]
    stacked = np.stack(results, axis=2)
    case.expect('raw', stacked if image.ndim == 3 else stacked[:, :, 0], dtype_of(options['output']))
    return case


def conv_problems():
    byte, pixel = numeric(True, 8, 7), numeric(False, 8, 0)
    integer = numeric(True, 8, 0)
    page = {'output': numeric(True, 8, 7), 'productShift': 14, 'accumulate': 'every-step'}
    yield conv_problem([7, 8], [3, 3], integer, integer, page)
    yield conv_problem([6, 7, 3], [3, 2], integer, integer, page)
    yield conv_problem([7, 8], [3, 3], numeric(True, 16, 0), numeric(True, 16, 0), page)
    for accumulate in ('full', 'every-step'):
        for shape in ('full', 'same', 'valid'):
            for kernel in ([3, 3], [2, 4], [1, 1]):
                yield conv_problem([5, 6], kernel, byte, byte, {'shape': shape, 'output': numeric(True, 10, 6), 'accumulate': accumulate})
        for rounding, overflow in itertools.product(ROUND, ('saturate', 'wrap')):
            yield conv_problem([5, 7], [3, 3], byte, byte, {'output': numeric(True, 8, 5, rounding, overflow), 'accumulate': accumulate})
            yield conv_problem([4, 5], [2, 3], pixel, numeric(True, 6, 4), {'output': numeric(True, 12, 1, rounding, overflow), 'accumulate': accumulate})
        yield conv_problem([5, 6], [3, 3], pixel, pixel, {'output': numeric(False, 16, -3), 'accumulate': accumulate})
        yield conv_problem([5, 6, 2], [2, 2], pixel, byte, {'output': numeric(True, 24, 7), 'accumulate': accumulate})
        yield conv_problem([5, 6], [3, 3], byte, byte, {'output': numeric(True, 32, 20), 'accumulate': accumulate})
        yield conv_problem([5, 6], [3, 3], numeric(True, 12, 30), numeric(False, 9, -6), {'output': numeric(True, 14, 20), 'accumulate': accumulate})
        yield conv_problem([5, 6], [3, 3], numeric(True, 1, 0), numeric(False, 1, 0), {'output': numeric(True, 4, 0), 'accumulate': accumulate})
        # Sums past 2³¹, past 2⁵³ and past 2⁶³.
        for word in (16, 24, 31, 32):
            for signed in (True, False):
                wide = numeric(signed, word, 0)
                for fraction in (0, -word):
                    for overflow in ('saturate', 'wrap'):
                        output = numeric(True, 32, fraction, 'convergent', overflow)
                        yield conv_problem([5, 5], [4, 4], wide, wide, {'output': output, 'accumulate': accumulate}, extreme=True)
        yield conv_problem([6, 7], [5, 6], numeric(True, 32, 31), numeric(True, 32, 31), {'output': numeric(True, 32, 28), 'accumulate': accumulate})
    yield conv_problem([9, 19], [3, 3], byte, byte, {'output': byte, 'accumulate': 'every-step', 'productShift': 2})


write_family('fixed', 'exact fractions', [*fi_problems(), *conv_problems()])
