/**
 * Sequences of calls over memory that is shared between everything: operands, parts of objects and `out` are views of one
 * buffer at random, overlapping or not, which may be resizable, shared with other threads or of another realm, and which is
 * overwritten, resized and taken away between calls and during asynchronous ones. Another thread writes to some of it all the
 * while, makes it grow, or is handed it.
 *
 *   node calls.cjs FIRST_SEED HOW_MANY
 *
 * What a synchronous call gives is what it gives of copies, in memory of its own, unless it refuses; convolutions keep what they
 * were made of, and CSR matrices share it; an asynchronous call gives an answer or an error; and every error is one of the library's own. Writes each seed to
 * stderr before its sequence, so that a process that dies tells where, and prints {sequences, calls, refused, wrong} at the end.
 */
const { join } = require('node:path');
const vm = require('node:vm');
const { isMainThread, parentPort, Worker } = require('node:worker_threads');
const convmat = require(join(__dirname, '../../../dist'));
const { ConvmatError, CsrMatrix, Tensor, image, io, operators, signal } = convmat;

const realm = vm.createContext({});
const foreign = vm.runInContext(
  '({ ArrayBuffer, Float32Array, Float64Array, Int32Array, Uint8Array })',
  realm,
);
const ours = { ArrayBuffer, Float32Array, Float64Array, Int32Array, Uint8Array };

/** Numbers in [0, 1): mulberry32. */
function generator(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const SHARED_BYTES = 1 << 14;
const total = { sequences: 0, calls: 0, refused: 0, wrong: [] };

/** The other thread: it meddles with the memory that it was told last. */
const other = isMainThread ? new Worker(__filename) : undefined;
other?.unref();

function meddle() {
  let memory = null;
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const write = () => {
    if (memory === null) return;
    const words = new Int32Array(memory, 0, memory.byteLength >> 2);
    for (let i = 0; i < 500 && words.length > 0; i++) {
      const value = random();
      // Small ones lead into matrices, large ones out of them.
      words[random() % words.length] = value & 1 ? value >>> 29 : value;
    }
    if (memory.growable && memory.byteLength < memory.maxByteLength && random() % 64 === 0)
      memory.grow(Math.min(memory.maxByteLength, memory.byteLength + 8 * (random() % 64)));
    setImmediate(write);
  };
  parentPort.on('message', (told) => {
    const isIdle = memory === null;
    memory = told;
    if (isIdle) write();
  });
}

/** Asynchronous calls that have not settled. */
const underWay = new Set();

class Sequence {
  constructor(seed) {
    this.seed = seed;
    this.random = generator(seed);
    this.realm = this.chance(0.2) ? foreign : ours;
    const kind = this.pick(['plain', 'plain', 'plain', 'resizable', 'shared', 'growable']);
    if (kind === 'plain') this.memory = new this.realm.ArrayBuffer(SHARED_BYTES);
    else if (kind === 'resizable')
      this.memory = new this.realm.ArrayBuffer(SHARED_BYTES, { maxByteLength: 2 * SHARED_BYTES });
    else if (kind === 'shared') this.memory = new SharedArrayBuffer(SHARED_BYTES);
    else this.memory = new SharedArrayBuffer(SHARED_BYTES, { maxByteLength: 2 * SHARED_BYTES });
    /** Whether another thread writes to the memory meanwhile, so that no answer can be told to be the right one. */
    this.isRaced = this.memory instanceof SharedArrayBuffer && this.chance(0.5);
    if (this.isRaced) other.postMessage(this.memory);
    this.objects = [];
    this.pending = [];
  }

  /** Calls take it over. */
  renew() {
    if (this.memory.byteLength < 100 && !this.memory.growable)
      this.memory = new this.realm.ArrayBuffer(SHARED_BYTES);
  }

  below(n) {
    return Math.floor(this.random() * n);
  }
  chance(p) {
    return this.random() < p;
  }
  pick(list) {
    return list[this.below(list.length)];
  }

  /** A view of the shared memory, or sometimes of some of its own; whole numbers, whose sums are exact. */
  view(length, type = 'Float32Array', fill = true) {
    const Type = this.realm[type];
    const bytes = length * Type.BYTES_PER_ELEMENT;
    const room = this.memory.byteLength - bytes;
    if (this.chance(0.2) || room < 0) {
      const own = new Type(length);
      if (fill) this.fill(own);
      return own;
    }
    // Near the beginning, where others are too.
    const reach = this.chance(0.7) ? Math.min(room, 512) : room;
    const offset = this.below(reach / Type.BYTES_PER_ELEMENT + 1) * Type.BYTES_PER_ELEMENT;
    const view = new Type(this.memory, offset, length);
    if (fill) this.fill(view);
    return view;
  }
  fill(view) {
    for (let i = 0; i < view.length; i++)
      view[i] = this.below(7) - (view instanceof this.realm.Uint8Array ? 0 : 3);
  }
  tensor(shape, type = 'Float32Array', fill = true) {
    const data = this.view(
      shape.reduce((a, b) => a * b, 1),
      type,
      fill,
    );
    return (this.chance(0.5) ? undefined : this.attempt(() => new Tensor(data, shape))) ?? { data, shape };
  }

  /** Makes one object of what is shared, and its twin of copies. */
  build() {
    const float = this.pick(['Float32Array', 'Float64Array']);
    const kind = this.pick(['prepared', 'matrix', 'csr', 'csr', 'csr', 'operator']);
    if (kind === 'csr') return this.buildCSR(float);
    const channels = 1 + this.below(3);
    const groups = this.chance(0.2) ? channels : 1;
    const side = 3 + this.below(4);
    const weight = this.tensor([channels, channels / groups, 1 + this.below(3), 1 + this.below(3)], float);
    const options = { padding: this.below(2), groups };
    if (this.chance(0.3)) options.bias = this.view(channels, float);
    const inputShape = [channels, side, side];
    const make = {
      prepared: (w, o) =>
        convmat.prepareConv(w, { ...o, ...(side < 5 && { inputShape: [1, ...inputShape] }) }),
      matrix: (w, { padding }) => convmat.convMatrix(w, { padding, groups, inputShape }),
      operator: (w, { padding }) => {
        const A = convmat.convMatrix(w, { padding, groups, inputShape });
        return operators.add(operators.scale(2, A), A);
      },
    }[kind];
    const [w, o] = copied([weight, options]);
    const object = this.attempt(() => make(weight, options));
    if (object !== undefined) this.objects.push({ kind, object, twin: make(w, o), inputShape, float });
  }
  buildCSR(float) {
    const [rows, cols] = [1 + this.below(8), 1 + this.below(8)];
    const each = 1 + this.below(3);
    const indptr = this.view(rows + 1, 'Int32Array');
    const indices = this.view(rows * each, 'Int32Array');
    const data = this.view(rows * each, float);
    // Written last, so that they stand unless they share their memory.
    for (let i = 0; i < indices.length; i++) indices[i] = this.below(cols);
    for (let i = 0; i <= rows; i++) indptr[i] = i * each;
    const parts = [indptr, indices, data];
    let object = this.attempt(() => new CsrMatrix([rows, cols], ...parts));
    if (object === undefined) return;
    if (this.chance(0.2)) object = object.T;
    if (this.chance(0.2)) object = object.scale(2);
    // Of the arrays as they stand at a call.
    const twinNow = () =>
      new CsrMatrix(object.shape, ...copied([object.indptr, object.indices, object.data]));
    this.objects.push({ kind: 'csr', object, twinNow, float });
  }

  /** What a call gives; undefined, and counted, when it refuses. */
  attempt(call) {
    total.calls++;
    try {
      return call();
    } catch (error) {
      this.judge(error);
      return undefined;
    }
  }
  judge(error) {
    total.refused++;
    if (!(error instanceof ConvmatError) && error?.name !== 'AbortError')
      this.blame(`throws ${error?.stack ?? error}`);
  }
  blame(what) {
    total.wrong.push({ seed: this.seed, what: String(what).slice(0, 600) });
  }

  /** The same call with what is shared and with copies: refused, or the same numbers. */
  compare(name, args, run, runTwin = run) {
    const copies = copied(args);
    const given = this.attempt(() => run(...args));
    if (given === undefined) return;
    if (this.isRaced) return;
    let expected;
    try {
      expected = runTwin(...copies);
    } catch (error) {
      this.blame(`${name} gives an answer, and ${error.message} of copies`);
      return;
    }
    if (!same(given, expected)) this.blame(`${name} differs from the same of copies`);
  }

  synchronous() {
    const known = this.objects.length > 0 && this.chance(0.6) ? this.pick(this.objects) : undefined;
    if (known !== undefined) return this.callObject(known);
    const float = this.pick(['Float32Array', 'Float64Array']);
    const n = 1 + this.below(20);
    const calls = {
      conv2d: () => {
        const x = this.tensor([1, 2, 6, 6], float);
        const w = this.tensor([2, 2, 3, 3], float);
        const out = this.chance(0.7) ? this.outTensor([1, 2, 4, 4], float) : undefined;
        const bias = this.chance(0.3) ? this.view(2, float) : undefined;
        const algorithm = this.pick(['auto', 'im2col', 'direct', 'toeplitz']);
        this.compare('conv2d', [x, w, out, bias], (a, b, o, c) =>
          convmat.conv2d(a, b, { algorithm, ...(o && { out: o }), ...(c && { bias: c }) }),
        );
      },
      convTranspose2d: () => {
        const x = this.tensor([1, 2, 4, 4], float);
        const w = this.tensor([2, 2, 3, 3], float);
        const out = this.outTensor([1, 2, 6, 6], float);
        this.compare('convTranspose2d', [x, w, out], (a, b, o) => convmat.convTranspose2d(a, b, { out: o }));
      },
      unfold: () => this.compare('unfold', [this.tensor([1, 2, 5, 5], float)], (a) => convmat.unfold(a, 2)),
      maxPool2d: () =>
        this.compare('maxPool2d', [this.tensor([1, 2, 4, 4], float)], (a) => convmat.maxPool2d(a, 2)),
      matmul: () =>
        this.compare('matmul', [this.tensor([4, n], float), this.tensor([n, 3], float)], (a, b) =>
          convmat.matmul(a, b),
        ),
      'signal.conv': () =>
        this.compare('signal.conv', [this.view(n, float), this.view(1 + this.below(9), float)], (a, b) =>
          signal.conv(a, b),
        ),
      'signal.fft': () => {
        const complex = () => ({ re: this.view(n, 'Float64Array'), im: this.view(n, 'Float64Array') });
        this.compare('signal.fft', [complex(), complex()], (x, out) => signal.fft(x, undefined, out));
      },
      'signal.filter': () =>
        this.compare('signal.filter', [this.view(3, float), this.view(n, float)], (b, x) =>
          signal.filter(b, [1], x),
        ),
      'image.fromPixels': () => {
        const pixels = { data: this.view(4 * n, 'Uint8Array'), width: n, height: 1, channels: 4 };
        this.compare('image.fromPixels', [pixels], (p) => image.fromPixels(p));
      },
      'image.toPixels': () =>
        this.compare('image.toPixels', [this.tensor([3, 2, n], float)], (t) => image.toPixels(t)),
      'io.encodeNpy': () => this.compare('encodeNpy', [this.tensor([n, 2], float)], (t) => io.encodeNpy(t)),
      'io.encodeNpz': () =>
        this.compare('encodeNpz', [this.tensor([n], float), this.view(n, 'Int32Array')], (a, b) =>
          io.encodeNpz({ a, b }),
        ),
      'io.encodeSafetensors': () =>
        this.compare('encodeSafetensors', [this.tensor([n], float)], (a) => io.encodeSafetensors({ a })),
    };
    calls[this.pick(Object.keys(calls))]();
  }
  outTensor(shape, float) {
    const length = shape.reduce((a, b) => a * b, 1);
    return this.attempt(() => new Tensor(this.view(length, float, false), shape));
  }

  callObject({ kind, object, twin, twinNow, inputShape, float }) {
    if (kind === 'prepared') {
      const x = this.tensor([1, ...inputShape], float);
      const shape = this.attempt(() => object.outputShape([1, ...inputShape]));
      const out = shape !== undefined && this.chance(0.7) ? this.outTensor(shape, float) : undefined;
      this.compare(
        'prepared.run',
        [x, out],
        (a, o) => object.run(a, o),
        (a, o) => twin.run(a, o),
      );
      return;
    }
    const [rows, cols] = object.shape;
    const method = this.pick(['matvec', 'rmatvec', 'matvec', 'rmatvec', 'toDense']);
    if (method === 'toDense') {
      if (object.toDense === undefined) return;
      // What is not sound has no twin, and may be refused or be any numbers.
      const known = twin ?? this.attempt(twinNow);
      if (known === undefined) this.attempt(() => object.toDense());
      else
        this.compare(
          `${kind}.toDense`,
          [],
          () => object.toDense(),
          () => known.toDense(),
        );
      return;
    }
    const [from, to] = method === 'matvec' ? [cols, rows] : [rows, cols];
    const x = this.view(from, float);
    // Sometimes over the object's own arrays, as its getters give them.
    const own =
      kind === 'csr' && this.chance(0.2) ? this.pick([object.data, object.indptr, object.indices]) : null;
    const out =
      own !== null && own.byteLength >= to * 8
        ? this.attempt(() => new ours[float](own.buffer, 0, to))
        : this.chance(0.8)
          ? this.view(to, float, false)
          : undefined;
    const known = twin ?? this.attempt(twinNow);
    if (known === undefined) this.attempt(() => object[method](x, out));
    else
      this.compare(
        `${kind}.${method}`,
        [x, out],
        (a, o) => object[method](a, o),
        (a, o) => known[method](a, o),
      );
  }

  /** Many at once, while their memory changes. */
  asynchronous() {
    const atOnce = this.pick([1, 1, 1, 10, 10, this.chance(0.1) ? 100 : 2]);
    const prepared = this.objects.filter(({ kind }) => kind === 'prepared');
    for (let i = 0; i < atOnce; i++) {
      this.renew();
      const controller = new AbortController();
      const options = this.chance(0.3) ? { signal: controller.signal } : {};
      if (this.chance(0.1)) options.transfer = true;
      const known = prepared.length > 0 && this.chance(0.6) ? this.pick(prepared) : undefined;
      let call;
      if (known !== undefined) {
        const x = this.tensor([1, ...known.inputShape], known.float);
        if (this.chance(0.5)) {
          const shape = this.attempt(() => known.object.outputShape([1, ...known.inputShape]));
          if (shape !== undefined) options.out = this.outTensor(shape, known.float);
        }
        call = () => known.object.runAsync(x, options);
      } else {
        const { transfer: _, ...rest } = options;
        const x = this.tensor([1, 2, 6, 6]);
        const w = this.tensor([2, 2, 3, 3]);
        const A = this.pick(this.objects.filter(({ object }) => object.matvec !== undefined));
        call = this.pick([
          () => convmat.conv2dAsync(x, w, { ...options, padding: 1 }),
          () => image.toPixelsAsync(this.tensor([3, 4, 4]), rest),
          () =>
            image.fromPixelsAsync(
              { data: this.view(48, 'Uint8Array'), width: 4, height: 4, channels: 3 },
              rest,
            ),
          () =>
            A &&
            convmat.lsqrAsync(A.object, this.view(A.object.shape[0], A.float), { ...rest, maxIterations: 3 }),
          () => io.readNpy(new Uint8Array(this.memory, 0, 100)),
        ]);
      }
      const promise = this.attempt(call);
      if (promise !== undefined) this.pending.push(this.settled(promise, call));
      if (this.chance(0.2)) controller.abort();
    }
  }

  async settled(promise, call) {
    underWay.add(call);
    try {
      await promise;
    } catch (error) {
      this.judge(error);
    }
    underWay.delete(call);
  }

  disturb() {
    const what = this.pick(['write', 'write', 'resize', 'take', 'dispose', 'threads', 'parts']);
    if (what === 'write') this.fill(new Uint8Array(this.memory));
    else if (what === 'resize' && this.memory.resizable)
      this.memory.resize(this.below(2 * SHARED_BYTES) & ~7);
    else if (what === 'resize' && this.memory.growable) this.memory.grow(2 * SHARED_BYTES);
    else if (what === 'take' && this.chance(0.3) && !(this.memory instanceof SharedArrayBuffer)) {
      if (this.realm === ours && this.chance(0.5)) other.postMessage(this.memory, [this.memory]);
      else structuredClone(this.memory, { transfer: [this.memory] });
      this.renew();
    } else if (what === 'dispose' && this.objects.length > 0 && this.chance(0.2)) {
      const [{ object, twin }] = this.objects.splice(this.below(this.objects.length), 1);
      object.dispose?.();
      twin?.dispose?.();
    } else if (what === 'threads') convmat.setNumThreads(1 + this.below(3));
    else if (what === 'parts') {
      for (const { kind, object } of this.objects) {
        if (kind !== 'csr' || object.indptr.byteLength * object.indices.byteLength === 0) continue;
        object.indices[this.below(object.indices.length)] = this.pick([-1, 2 ** 30, 0]);
        object.indptr[this.below(object.indptr.length)] = this.pick([-(2 ** 31), 2 ** 31 - 1, 1]);
      }
    }
  }

  async run() {
    const steps = 3 + this.below(8);
    this.build();
    for (let i = 0; i < steps; i++) {
      this.renew();
      const step = this.random();
      if (step < 0.15) this.build();
      else if (step < 0.6) this.synchronous();
      else if (step < 0.8) this.asynchronous();
      else this.disturb();
      if (this.chance(0.1)) await new Promise(setImmediate);
    }
    await Promise.all(this.pending);
    other.postMessage(null);
    for (const { object, twin } of this.objects) {
      object.dispose?.();
      twin?.dispose?.();
    }
  }
}

/** In memory of their own, of this realm. */
function copied(value) {
  if (ArrayBuffer.isView(value)) {
    const name = Object.prototype.toString.call(value).slice(8, -1);
    return value.length === 0 ? new globalThis[name](0) : globalThis[name].from(value);
  }
  if (value instanceof Tensor) return new Tensor(copied(value.data), value.shape);
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copied(part)]));
  }
  return value;
}

function same(a, b) {
  if (ArrayBuffer.isView(a))
    return a.length === b.length && a.every((v, i) => v === b[i] || (Number.isNaN(v) && Number.isNaN(b[i])));
  if (a instanceof Tensor) return same(a.data, b.data);
  if (typeof a === 'object' && a !== null) return Object.keys(a).every((name) => same(a[name], b[name]));
  return a === b;
}

// Of the library's own tasks as of this program.
process.on('uncaughtException', (error) => {
  process.stderr.write(`uncaught: ${error.stack}\n`);
  process.exit(1);
});

process.on('exit', () => {
  if (underWay.size === 0) return;
  const calls = [...new Set([...underWay].map(String))];
  process.stderr.write(`never settled: ${calls.join('; ')}\n`);
  process.exitCode = 1;
});

async function main() {
  const [first, count] = process.argv.slice(2).map(Number);
  for (let seed = first; seed < first + count; seed++) {
    require('node:fs').writeSync(2, `${seed}\n`);
    await new Sequence(seed).run();
    total.sequences++;
  }
  console.log(JSON.stringify(total));
}
if (isMainThread) main();
else meddle();
