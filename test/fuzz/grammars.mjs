/**
 * Files made by the grammars of their formats, where every rule may be broken: sizes that lie, fields that overlap, numbers
 * of any length, nesting, repetition, names that nobody would give. What a mutation of a sound file never reaches is reached
 * here, since checksums, lengths and offsets agree with what was broken unless they are what is broken.
 *
 * A file comes with what it honestly asks for: the bytes that its members hold when they are expanded.
 */
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

/** Numbers from a seed (mulberry32), and choices made with them. */
export function chooser(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return {
    below,
    chance: (share) => next() < share,
    of: (list) => list[below(list.length)],
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
    /** `usual()`, or now and then one of the others. */
    mostly: (usual, others, share = 0.03) =>
      next() < share ? list(others)[below(list(others).length)] : usual,
  };
}

const list = (value) => (typeof value === 'function' ? value() : value);

/** Numbers that break what counts with them. */
const NUMBERS = [
  '-1',
  '00',
  '1.5',
  '1e3',
  '0x10',
  '',
  ' ',
  '2147483647',
  '2147483648',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '18446744073709551615',
  '9'.repeat(400),
  'True',
  'None',
  '(',
  '[1]',
  'nan',
  '١',
];
const SPACE = [' ', '\t', '  ', '\n', ' '.repeat(5000), '\t'.repeat(3000), ''];
const NAMES = [
  '',
  '__proto__',
  'constructor',
  '../up',
  '/root',
  'a\\b',
  'a'.repeat(300),
  'n'.repeat(65000),
  '\x1b[31m',
  '\u202e',
  'é',
  'a.npy',
  'data.pkl',
  'm/data.pkl',
  '\0',
  ' ',
  "'",
  '"',
  'a\nb',
  '\ud800',
];

const CODES = {
  f4: 4,
  f8: 8,
  i1: 1,
  u1: 1,
  b1: 1,
  i2: 2,
  u2: 2,
  i4: 4,
  u4: 4,
  i8: 8,
  u8: 8,
  f2: 2,
  c8: 8,
  c16: 16,
  V2: 2,
};
const ODD_CODES = [
  'O',
  'U4',
  'S3',
  'U2147483648',
  'M8[ns]',
  'm8',
  'V4',
  'f16',
  'c32',
  'x9',
  '',
  'f',
  '4f',
  'i'.repeat(3000),
];

export function npy(random) {
  const { below, chance, of, mostly, bytes } = random;
  const code = mostly(of(Object.keys(CODES)), ODD_CODES, 0.06);
  const rank = mostly(below(4), [0, 33, 63, 64, 65, 5000], 0.05);
  const sizes = Array.from({ length: rank }, () => (rank > 8 ? mostly(1, [0, 2], 0.01) : below(5)));
  const count = sizes.reduce((product, size) => product * size, 1);
  const said = sizes.map((size) => `${mostly(size, NUMBERS, 0.02)}${mostly('', ['L', ' ', 'LL'], 0.02)}`);
  const space = () => mostly(' ', SPACE, 0.02);
  const comma = said.length === 1 || chance(0.3) ? ',' : '';
  const shape = mostly(`(${said.join(`,${space()}`)}${comma})`, [
    '()',
    '(,)',
    '((1,))',
    '[1, 2]',
    `(${'1,'.repeat(2000)})`,
    `(1${' '.repeat(9000)}x)`,
    '('.repeat(5000),
  ]);
  const quote = of(["'", '"']);
  const descr = mostly(`${quote}${of(['<', '<', '<', '>', '|', '=', ''])}${code}${quote}`, [
    "[('a', '<f4')]",
    "[('a', '<f4', (2,)), ('b', 'O')]",
    "('<f4', (3,))",
    '['.repeat(3000),
    `'${'<'.repeat(3000)}`,
    '4',
    "'\\'",
  ]);
  const entries = [
    `'descr':${space()}${descr}`,
    `'fortran_order':${space()}${mostly(of(['True', 'False']), ['1', 'true', "'False'", 'TrueFalse'])}`,
    `'shape':${space()}${shape}`,
  ];
  if (chance(0.1)) entries.reverse();
  if (chance(0.02)) entries.splice(below(3), 1);
  if (chance(0.02)) entries.push(of(entries), `'extra': ${'1'}`);
  const text = `${mostly('{', ['', '[', '{{', 'dict('])}${entries.join(`,${space()}`)}${mostly(', }', ['}', '}}', '', ',,}', '} x'], 0.2)}`;
  const version = mostly(1 + below(3), [0, 4, 255]);
  const wide = version !== 1;
  const head = Buffer.from(`${text}${' '.repeat(below(64))}\n`, version === 3 ? 'utf8' : 'latin1');
  const length = mostly(head.length, [0, 1, head.length + 1, 65535, 0xffffffff]);
  const prefix = Buffer.alloc(wide ? 12 : 10);
  prefix.write('\x93NUMPY', 'latin1');
  prefix[6] = version;
  if (wide) prefix.writeUInt32LE(length >>> 0, 8);
  else prefix.writeUInt16LE(length & 0xffff, 8);
  const elements = Math.min(count, 1 << 12) * (CODES[code] ?? 4);
  const held = mostly(elements, [0, 1, elements - 1, elements + 7]);
  return { bytes: Buffer.concat([prefix, head, bytes(Math.max(0, held))]), asked: 0 };
}

/** An archive of these members, in which anything may be wrong. */
function zip(random, members) {
  const { below, chance, mostly } = random;
  const parts = [];
  const entries = [];
  let at = chance(0.02) ? below(40) : 0;
  let asked = 0;
  parts.push(Buffer.alloc(at));
  for (const [name, content] of members) {
    asked += content.length;
    const method = mostly(chance(0.5) ? 8 : 0, [9, 12, 99]);
    const data = method === 8 ? deflateRawSync(content) : content;
    const nameBytes = Buffer.from(name).subarray(0, 65535);
    const [shortLie, longLie] = [
      [0, 1, 0xffff],
      [0, 1, 2 ** 31, 2 ** 32 - 1, content.length + 1],
    ];
    const wide = chance(0.05);
    const extra = wide ? Buffer.alloc(28) : Buffer.alloc(mostly(0, [3, 200]));
    if (wide) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(mostly(24, shortLie), 2);
      for (const [i, value] of [content.length, data.length, at].entries()) {
        extra.writeBigUInt64LE(BigInt(mostly(value, [2 ** 40, 2 ** 53])), 4 + 8 * i);
      }
    }
    const field = (value) => (wide ? 0xffffffff : mostly(value, longLie, 0.01));
    const crc = mostly(crc32(content), [0, crc32(content) ^ 1], 0.02);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(mostly(0x04034b50, longLie, 0.01));
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(mostly(nameBytes.length, shortLie, 0.01), 26);
    parts.push(local, nameBytes, data);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(mostly(0x02014b50, longLie, 0.005));
    entry.writeUInt16LE(mostly(0, [1, 8, 0x800]), 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(crc >>> 0, 16);
    entry.writeUInt32LE(field(data.length), 20);
    entry.writeUInt32LE(field(content.length), 24);
    entry.writeUInt16LE(mostly(nameBytes.length, shortLie, 0.01), 28);
    entry.writeUInt16LE(mostly(extra.length, shortLie, 0.01), 30);
    entry.writeUInt32LE(wide ? 0xffffffff : mostly(at, [0, at + 1, 2 ** 32 - 2], 0.01), 42);
    entries.push(Buffer.concat([entry, nameBytes, extra]));
    at += 30 + nameBytes.length + data.length;
  }
  // The bytes of one member under several names.
  if (chance(0.03) && entries.length > 0)
    for (let i = below(40); i > 0; i--) entries.push(entries[below(entries.length)]);
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  const comment = chance(0.05) ? Buffer.from('PK\x05\x06'.repeat(below(4000)), 'latin1') : Buffer.alloc(0);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(mostly(entries.length, [0, 1, 0xffff], 0.02), 8);
  end.writeUInt16LE(mostly(entries.length, [0, 1, 0xffff], 0.02), 10);
  end.writeUInt32LE(mostly(directory.length, [0, 2 ** 32 - 1], 0.02), 12);
  end.writeUInt32LE(mostly(at, [0, 2 ** 32 - 1], 0.02), 16);
  end.writeUInt16LE(mostly(comment.length, [0, 0xffff], 0.02), 20);
  const end64 = Buffer.alloc(chance(0.03) ? 76 : 0);
  if (end64.length > 0) {
    end64.writeUInt32LE(0x06064b50);
    end64.writeBigUInt64LE(BigInt(mostly(entries.length, [2 ** 40])), 32);
    end64.writeBigUInt64LE(BigInt(mostly(directory.length, [2 ** 50])), 40);
    end64.writeBigUInt64LE(BigInt(mostly(at, [2 ** 50])), 48);
    end64.writeUInt32LE(0x07064b50, 56);
    end64.writeBigUInt64LE(BigInt(mostly(at + directory.length, [2 ** 50, 0])), 64);
    end.writeUInt32LE(0xffffffff, 16);
  }
  return { bytes: Buffer.concat([...parts, directory, end64, end, comment]), asked };
}

export function npz(random) {
  const { below, mostly } = random;
  const count = mostly(below(4), [0, 60]);
  const members = Array.from({ length: count }, (_, i) => [
    `${mostly(`a${i}`, NAMES)}${mostly('.npy', ['', '.txt'])}`,
    mostly(npy(random).bytes, [Buffer.alloc(0), Buffer.alloc(9000), Buffer.from('text')]),
  ]);
  return zip(random, members);
}

function array(code, sizes, data) {
  const text = `{'descr': '${code}', 'fortran_order': False, 'shape': (${sizes.join(',')}${sizes.length === 1 ? ',' : ''}), }\n`;
  const prefix = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8]);
  return Buffer.concat([prefix, Buffer.from(text), data]);
}

export function sparse(random) {
  const { below, chance, of, mostly } = random;
  const [rows, cols, nnz] = [below(6), below(6), below(9)];
  const format = mostly(of(['csr', 'csc', 'coo']), ['bsr', 'dia', 'lil', '', 'x'.repeat(70)]);
  const lie = (value) => mostly(value, [-1, 0, 1, 2 ** 31 - 1, -(2 ** 31), 2 ** 30], 0.02);
  const ints = (values) => Buffer.from(Int32Array.from(values.map(lie)).buffer);
  const longs = (values) => Buffer.from(BigInt64Array.from(values.map((v) => BigInt(lie(v)))).buffer);
  const major = format === 'csc' ? cols : rows;
  const cuts = Array.from({ length: major }, () => below(nnz + 1)).sort((a, b) => a - b);
  const indptr = [0, ...cuts.slice(1), ...(major > 0 ? [nnz] : [])];
  const minor = Array.from({ length: nnz }, () => below(Math.max(1, format === 'csc' ? rows : cols)));
  const row = Array.from({ length: nnz }, () => below(Math.max(1, rows)));
  const members = {
    format: array(`|S${format.length}`, [], Buffer.from(format)),
    shape: array('<i8', [mostly(2, [1, 3])], longs([rows, cols, 1].slice(0, mostly(2, [1, 3])))),
    data: mostly(array('<f8', [nnz], Buffer.alloc(8 * nnz)), () => [npy(random).bytes], 0.1),
    ...(format === 'coo'
      ? { row: array('<i4', [nnz], ints(row)), col: array('<i4', [nnz], ints(minor)) }
      : { indptr: array('<i4', [indptr.length], ints(indptr)), indices: array('<i4', [nnz], ints(minor)) }),
  };
  if (chance(0.03)) delete members[of(Object.keys(members))];
  return zip(
    random,
    Object.entries(members).map(([name, content]) => [`${name}.npy`, content]),
  );
}

const VALUES = [
  '1',
  '-2.5',
  '1e10',
  '.5',
  '5.',
  '1D+05',
  '1.5-100',
  'nan',
  '-nan',
  'Infinity',
  '-inf',
  'NaN(0x1)',
  '1.#QNAN',
  '0',
  '1e999',
  '-0',
  '12345678901234567890',
  '9'.repeat(400),
  '1e99999999999999999999',
  '0.'.concat('0'.repeat(3000), '1'),
];
const ODD_VALUES = [
  '',
  '-',
  '+',
  '.',
  'e5',
  '1e',
  '1e+',
  '--1',
  '1..2',
  'one',
  '0x1',
  '1,5',
  '\x1b[31m',
  'ü',
  'nan(',
  '1.#',
  'x'.repeat(70000),
  ...NUMBERS,
];

export function mtx(random) {
  const { below, chance, of, mostly } = random;
  const layout = mostly(of(['coordinate', 'coordinate', 'array']), ['lattice', '', 'COORDINATE']);
  const field = mostly(of(['real', 'double', 'integer', 'unsigned-integer', 'complex', 'pattern']), [
    'quaternion',
    '',
  ]);
  const symmetry = mostly(of(['general', 'general', 'symmetric', 'skew-symmetric', 'hermitian']), [
    '',
    'lower',
  ]);
  const [rows, cols] = [below(6), chance(0.5) ? below(6) : 3];
  const count = mostly(below(12), [300, 2000]);
  const space = () =>
    mostly(
      ' ',
      SPACE.filter((s) => s !== '\n'),
      0.02,
    );
  const end = of(['\n', '\n', '\r\n']);
  const size = (value) => mostly(`${value}`, NUMBERS, 0.02);
  const sizes = layout === 'array' ? [rows, cols] : [rows, cols, count];
  const lines = [
    mostly(
      `%%MatrixMarket matrix ${layout} ${field} ${symmetry}`,
      [
        '',
        '%',
        `%%MatrixMarket${' '.repeat(9000)}matrix`,
        '%%MatrixMarket vector array real',
        'x'.repeat(100000),
      ],
      0.02,
    ),
    ...Array.from({ length: mostly(below(3), [400]) }, () =>
      mostly('% comment', [`%${'c'.repeat(100000)}`, '', ' ', '%'], 0.1),
    ),
    mostly(
      sizes.map(size).join(space()),
      ['', '1 2', '1 2 3 4', '100000000 1 0', '1 2147483647 0', '2147483648 2147483648 1'],
      0.03,
    ),
    ...Array.from({ length: layout === 'array' ? rows * cols : count }, () => {
      const number = () => mostly(of(VALUES), ODD_VALUES, 0.01);
      const value = field === 'complex' ? mostly(`${number()}${space()}${number()}`, [number()]) : number();
      if (layout === 'array') return value;
      const place = `${size(1 + below(Math.max(1, rows)))}${space()}${size(1 + below(Math.max(1, cols)))}`;
      return field === 'pattern' ? place : `${place}${space()}${value}`;
    }),
  ];
  if (chance(0.03)) lines.splice(below(lines.length), 1);
  const text = Buffer.from(lines.join(end) + mostly(end, ['', end.repeat(3000)], 0.05), 'latin1');
  if (!chance(0.2)) return { bytes: text, asked: 0 };
  const bomb = chance(0.02) ? Buffer.alloc(1 << 20, of(['%', '\n', '1'])) : Buffer.alloc(0);
  return { bytes: gzipSync(Buffer.concat([text, bomb])), asked: text.length + bomb.length };
}

const DTYPES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
};

export function safetensors(random) {
  const { below, chance, of, mostly, bytes } = random;
  const space = () => mostly('', SPACE, 0.02);
  const number = (value) => mostly(value, NUMBERS, 0.01);
  let at = 0;
  const entries = Array.from({ length: mostly(below(4), [0, 200]) }, (_, i) => {
    const dtype = mostly(of(Object.keys(DTYPES)), ['F4', 'F8_E8M0', '', 'X'.repeat(3000)]);
    const shape = Array.from({ length: mostly(below(4), [65, 3000]) }, () => below(4));
    const begin = at;
    at += shape.reduce((product, size) => product * size, DTYPES[dtype] ?? 1);
    const name = mostly(`layer.${i}`, [
      ...NAMES.map((n) => JSON.stringify(n).slice(1, -1)),
      '\\u0041',
      '\\ud83d\\ude00',
      '\\x',
      '__metadata__',
    ]);
    const offsets = [number(mostly(begin, [0, begin + 1])), number(mostly(at, [0, at + 1, 2 ** 53]))];
    const fields = [
      `"dtype":${space()}"${dtype}"`,
      `"shape":[${shape.map(number).join(',')}]`,
      `"data_offsets":[${offsets.join(`,${space()}`)}]`,
    ];
    if (chance(0.02)) fields.splice(below(3), 1);
    if (chance(0.02)) fields.push('"extra":1');
    return `"${name}":${space()}${mostly(`{${fields.join(',')}}`, ['null', '[]', '1', '{}', '[['.repeat(3000), '{"a":'.repeat(3000)])}`;
  });
  if (chance(0.2))
    entries.unshift(`"__metadata__":${mostly('{"format":"pt"}', ['{}', '1', '{"a":1}', '{"a":"b"'])}`);
  if (chance(0.1)) entries.reverse();
  const text = Buffer.from(
    `${mostly('{', ['', '[', '{{'])}${entries.join(`,${space()}`)}${mostly('}', ['', ',}', '}}', '} x'])}`,
  );
  const length = mostly(text.length, [0, 1, text.length + 8, 2 ** 32, 2 ** 53]);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length));
  const held = Math.min(at, 1 << 14);
  return {
    bytes: Buffer.concat([prefix, text, bytes(Math.max(0, mostly(held, [0, held - 1, held + 1])))]),
    asked: 0,
  };
}

export const GRAMMARS = { npy, npz, sparse, mtx, safetensors };

/** File number `seed` of a format; some have been damaged besides. */
export function generate(format, seed) {
  const random = chooser(seed);
  const file = GRAMMARS[format](random);
  if (!random.chance(0.15) || file.bytes.length === 0) return file;
  const bytes = Buffer.from(file.bytes);
  const at = random.below(bytes.length);
  switch (random.below(4)) {
    case 0:
      bytes[at] ^= 1 << random.below(8);
      return { ...file, bytes };
    case 1:
      return { ...file, bytes: bytes.subarray(0, at) };
    case 2:
      return {
        ...file,
        bytes: Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(9)), bytes.subarray(at)]),
      };
    default:
      return {
        ...file,
        bytes: Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(bytes.length))]),
      };
  }
}
