"""Files of safetensors by the format's description, written by hand: the package of that name is not asked.

Its bytes are the length of a header (8 bytes), the header in JSON, and the tensors one behind the other. PyTorch says
what bfloat16 and float16 are. Writes files/*.safetensors and safetensors.json.
"""

import json
import os
import struct

import numpy as np
import torch

from golden import HERE, Case, write_family

FILES = os.path.join(HERE, 'files')


def pack(header, data=b'', pad=0):
    text = (header if isinstance(header, str) else json.dumps(header)).encode() + b' ' * pad
    return struct.pack('<Q', len(text)) + text + data


def save(name, content, why=''):
    with open(os.path.join(FILES, name), 'wb') as file:
        file.write(content)
    return Case(f'{name}{": " + why if why else ""}', 'readSafetensors', {'file': name})


def refused(name, content, why):
    case = save(name, content, why)
    case.expected['error'] = 'FormatError'
    return case


def bits(tensor):
    return tensor.view(torch.int16).numpy().tobytes()


def float8(exponent_bits, bias, byte):
    """By the definition: OCP 8-bit Floating Point Specification, 5.2."""
    mantissa_bits = 7 - exponent_bits
    sign = -1.0 if byte & 0x80 else 1.0
    exponent = (byte & 0x7F) >> mantissa_bits
    mantissa = byte & ((1 << mantissa_bits) - 1)
    if exponent_bits == 5 and exponent == 31:
        return sign * np.inf if mantissa == 0 else np.nan
    if exponent_bits == 4 and byte & 0x7F == 0x7F:
        return np.nan
    fraction = mantissa / 2**mantissa_bits
    return sign * (fraction * 2.0 ** (1 - bias) if exponent == 0 else (1 + fraction) * 2.0 ** (exponent - bias))


def every_dtype():
    """Each dtype with the bytes of some tensor, and what it should become."""
    values = np.arange(6) - 2.5
    half = torch.tensor([0.1, -65504, 6e-8, float('inf'), float('nan'), -0.0])
    yield 'F64', values.astype('float64').tobytes(), values
    yield 'F32', values.astype('float32').tobytes(), values.astype('float32')
    yield 'F16', bits(half.half()), half.half().float().numpy()
    yield 'BF16', bits(half.bfloat16()), half.bfloat16().float().numpy()
    for exponent_bits, bias, name in ((4, 7, 'F8_E4M3'), (5, 15, 'F8_E5M2')):
        yield name, bytes(range(256)), np.array([float8(exponent_bits, bias, byte) for byte in range(256)], 'float32')
    for name, dtype in (('I8', 'int8'), ('U8', 'uint8'), ('I16', 'int16'), ('U16', 'uint16'), ('I32', 'int32'), ('U32', 'uint32')):
        info = np.iinfo(dtype)
        ends = np.array([info.min, 0, 1, info.max], dtype)
        yield name, ends.tobytes(), ends
    yield 'I64', np.array([-2**31, 2**31 - 1]).tobytes(), np.array([-2**31, 2**31 - 1], 'int32')
    yield 'U64', np.array([7, 2**31 - 1], 'uint64').tobytes(), np.array([7, 2**31 - 1], 'int32')
    yield 'BOOL', b'\1\0\1', np.array([1, 0, 1], 'uint8')


def readable_files():
    header, data = {'__metadata__': {'format': 'pt', 'an "odd" key': '\u00e9'}}, b''
    case = None
    expected = {}
    for dtype, content, array in every_dtype():
        header[f'layer.{dtype}'] = {'dtype': dtype, 'shape': list(array.shape), 'data_offsets': [len(data), len(data) + len(content)]}
        data += content
        expected[f'layer.{dtype}'] = array
    case = save('every-dtype.safetensors', pack(header, data, pad=5))
    for name, array in expected.items():
        case.expect(name, array, array.dtype.name)
    yield case

    matrix = np.arange(6, dtype='float32').reshape(2, 3)
    case = save('shapes.safetensors', pack({
        'scalar': {'dtype': 'F32', 'shape': [], 'data_offsets': [24, 28]},
        'nothing': {'dtype': 'F32', 'shape': [0, 3], 'data_offsets': [24, 24]},
        'a\tb"c': {'dtype': 'F32', 'shape': [2, 3], 'data_offsets': [0, 24]},
    }, matrix.tobytes() + struct.pack('<f', 2.5)), 'a scalar, an empty tensor, a name with escapes, in another order')
    case.expect('scalar', np.float32(2.5))
    case.expect('nothing', np.zeros((0, 3)))
    case.expect('a\tb"c', matrix)
    yield case

    case = save('empty.safetensors', pack('{}'), 'no tensors')
    yield case

    case = save('partly.safetensors', pack({
        'good': {'dtype': 'F32', 'shape': [1], 'data_offsets': [0, 4]},
        'scales': {'dtype': 'F8_E8M0', 'shape': [4], 'data_offsets': [4, 8]},
        'wide': {'dtype': 'I64', 'shape': [1], 'data_offsets': [8, 16]},
    }, struct.pack('<fIq', 1.5, 0, 2**40)), 'tensors that cannot be read beside one that can')
    case.expect('good', np.array([1.5]))
    case.expected['unreadable'] = ['scales', 'wide']
    yield case

    z = np.array([1 + 2j, -3.5j], 'complex64')
    case = save('complex.safetensors', pack({'z': {'dtype': 'C64', 'shape': [2], 'data_offsets': [0, 16]}}, z.tobytes()))
    case.expect('z.re', z.real)
    case.expect('z.im', z.imag)
    yield case


def hostile_files():
    one = {'dtype': 'F32', 'shape': [1], 'data_offsets': [0, 4]}
    four = b'\0' * 4
    good = pack({'a': one}, four)
    yield refused('bad-nothing.safetensors', b'', 'no bytes at all')
    yield refused('bad-short.safetensors', b'\1\0\0', 'ends within its length')
    yield refused('bad-length.safetensors', struct.pack('<Q', 2**63) + good[8:], 'a header of 2^63 bytes')
    yield refused('bad-cut.safetensors', good[:-1], 'ends within its data')
    yield refused('bad-more.safetensors', good + b'\0', 'bytes behind its data')
    yield refused('bad-json.safetensors', pack('{"a":'), 'a header that does not end')
    yield refused('bad-list.safetensors', pack('[]'), 'a header that is a list')
    yield refused('bad-nested.safetensors', pack('[' * 50000), 'a header that nests')
    yield refused('bad-twice.safetensors', pack('{"a":%s,"a":%s}' % ((json.dumps(one),) * 2), four), 'one name twice')
    yield refused('bad-hole.safetensors', pack({'a': {**one, 'data_offsets': [4, 8]}}, four * 2), 'bytes that are nobody\'s')
    yield refused('bad-overlap.safetensors', pack({'a': one, 'b': one}, four), 'tensors that share their bytes')
    yield refused('bad-size.safetensors', pack({'a': {**one, 'shape': [2]}}, four), 'fewer bytes than its shape asks for')
    yield refused('bad-shape.safetensors', pack({'a': {**one, 'shape': [2**40, 2**40]}}, four), 'claims 2^80 elements')
    yield refused('bad-negative.safetensors', pack({'a': {**one, 'shape': [-1]}}, four), 'a negative size')
    yield refused('bad-fraction.safetensors', pack({'a': {**one, 'shape': [1.5]}}, four), 'a fractional size')
    yield refused('bad-axes.safetensors', pack({'a': {**one, 'shape': [1] * 65}}, four), '65 axes')
    yield refused('bad-offsets.safetensors', pack({'a': {**one, 'data_offsets': [4, 0]}}, four), 'offsets that fall')
    yield refused('bad-key.safetensors', pack({'a': {**one, 'strides': [1]}}, four), 'a key nobody knows')
    yield refused('bad-metadata.safetensors', pack({'__metadata__': {'n': 1}, 'a': one}, four), 'metadata that is a number')


os.makedirs(FILES, exist_ok=True)
write_family('safetensors', f'NumPy {np.__version__} and PyTorch {torch.__version__.split("a")[0]}', [*readable_files(), *hostile_files()])
