"""What every generator here shares: seeded data, tensors as JSON, and the file layout.

A family is one file:

    {"source": "PyTorch 1.13.1", "cases": [
      {"id": …, "call": …, "args": {…}, "tensors": {name: tensor}, "expected": {name: tensor or number}}]}

with one case per line, so that a change shows as the lines of the cases it touches. A tensor is
{"dtype", "shape", "data"}: little-endian, row-major, base64. `args` holds the options of `call` under the names
that the library's own functions use.

Each case draws from a generator seeded by its id, so adding a case leaves all the others as they were.
"""

import base64
import json
import os
import zlib

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))

# Values lie on a grid of 2⁻¹⁰ within ±4: 13 bits. Products need 26, so a sum of up to 2²⁰ of them is exact in
# float64 whatever the order (the files come out the same on every machine), while float32 must still round.
GRID = 1024


class Case:
    """One problem: draws its tensors, remembers them, and is written by its family."""

    def __init__(self, id, call, args=None, dtype='float32'):
        self.id, self.call, self.args, self.dtype = id, call, dict(args or {}), dtype
        self.rng = np.random.RandomState(zlib.crc32(id.encode()))
        self.tensors, self.expected = {}, {}

    def draw(self, name, shape):
        """A new tensor of the case, on the grid; returned as float64 (exactly what the stored dtype holds)."""
        if np.dtype(self.dtype).kind == 'f':
            values = self.rng.randint(-4 * GRID + 1, 4 * GRID, size=shape) / GRID
        else:
            info = np.iinfo(self.dtype)
            values = self.rng.randint(info.min, info.max + 1, size=shape, dtype=np.int64)
        return self.give(name, np.asarray(values))

    def give(self, name, values, dtype=None):
        """A tensor with values chosen by the script."""
        self.tensors[name] = encode(np.asarray(values), dtype or self.dtype)
        return values

    def expect(self, name, value, dtype=None):
        """What the reference computed: rounded once, to the dtype of the case."""
        self.expected[name] = value if isinstance(value, (int, float, list)) else encode(np.asarray(value), dtype or self.dtype)

    def as_json(self):
        case = {'id': self.id, 'call': self.call, 'args': self.args, 'tensors': self.tensors, 'expected': self.expected}
        return json.dumps(case, ensure_ascii=False, allow_nan=False, separators=(',', ':'))


def encode(values, dtype):
    little = np.ascontiguousarray(values.astype(np.dtype(dtype).newbyteorder('<')))
    return {
        'dtype': str(dtype),
        'shape': list(values.shape),
        'data': base64.b64encode(little.tobytes()).decode('ascii'),
    }


def write_family(name, source, cases):
    ids = [case.id for case in cases]
    repeated = {id for id in ids if ids.count(id) > 1}
    assert not repeated, f'{name}: repeated ids {sorted(repeated)}'
    path = os.path.join(HERE, f'{name}.json')
    with open(path, 'w', encoding='utf-8', newline='\n') as file:
        file.write(f'{{"source": {json.dumps(source)}, "cases": [\n')
        file.write(',\n'.join(case.as_json() for case in cases))
        file.write('\n]}\n')
    print(f'{name}.json: {len(cases)} cases, {os.path.getsize(path)} bytes')


def per_axis(value, rank):
    """An option as the library takes it (one number, or one per axis) as a list per axis."""
    return [value] * rank if np.isscalar(value) else list(value)


def describe(rank, kernel, options, extra=''):
    """A readable id from a geometry: '2d k3x3 s2 p1 circular'."""
    words = [f'{rank}d', 'k' + by(kernel)]
    for key, letter in (('stride', 's'), ('padding', 'p'), ('outputPadding', 'op'), ('dilation', 'd'), ('groups', 'g')):
        if key in options:
            words.append(letter + by(options[key]) if options[key] not in ('same', 'valid') else options[key])
    if 'paddingMode' in options:
        words.append(options['paddingMode'])
    if extra:
        words.append(extra)
    return ' '.join(words)


def by(value):
    if np.isscalar(value):
        return str(value)
    return 'x'.join('-'.join(map(str, v)) if isinstance(v, (list, tuple)) else str(v) for v in value)
