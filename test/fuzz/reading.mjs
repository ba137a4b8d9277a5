/** Reads one generated file, and says what is wrong with how it was read: null when nothing is. */

/** The reader of each format. */
export function readersOf(io) {
  return {
    npy: io.readNpy,
    npz: io.readNpz,
    sparse: io.readSparseNpz,
    mtx: io.readMatrixMarket,
    safetensors: io.readSafetensors,
  };
}

// What a file of n bytes may cost: see docs/reliability.md. What it asks for honestly comes on top.
const FREE_NS = 1e6;
const NS_PER_BYTE = 20;
const FREE_BYTES = 2 ** 20;
const BYTES_PER_BYTE = 16;
/** An array and its name, whatever is in it: objects cost as much as some hundred bytes of text. */
const NS_PER_ARRAY = 10_000;

/** Bytes and arrays that a reader gave. */
function held(value) {
  if (value === null || typeof value !== 'object') return { bytes: 0, arrays: 0 };
  if (ArrayBuffer.isView(value)) return { bytes: value.byteLength, arrays: 1 };
  if ('indptr' in value && 'indices' in value) {
    const { bytes, arrays } = held(value.data);
    return { bytes: value.indptr.byteLength + value.indices.byteLength + bytes, arrays: 2 + arrays };
  }
  const parts = Object.keys(value).map((key) => {
    // Of an array that cannot be read the property throws why.
    try {
      return held(value[key]);
    } catch {
      return { bytes: 0, arrays: 1 };
    }
  });
  return parts.reduce((a, b) => ({ bytes: a.bytes + b.bytes, arrays: a.arrays + b.arrays }), {
    bytes: 0,
    arrays: 0,
  });
}

/** @param slack  How many times as long it may take as it should: a machine that others use is slower than its clock. */
export async function misread({ ConvmatError }, read, { bytes, asked }, source, slack) {
  let least = Number.POSITIVE_INFINITY;
  let kept = { bytes: 0, arrays: 0 };
  let most = 0;
  // The first call of anything is slow, and so is one that the machine interrupts.
  for (let round = 0; round < 6; round++) {
    const before = process.cpuUsage();
    try {
      kept = held(await read(source ?? bytes));
    } catch (error) {
      if (!(error instanceof ConvmatError)) return `${error?.name}: ${error?.message}\n${error?.stack}`;
      if (error.message === '' || error.message.length > 2000)
        return `a message of ${error.message.length} characters`;
    }
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) * 1000);
    const work = bytes.length + asked + kept.bytes;
    most = slack * (FREE_NS + NS_PER_BYTE * work + NS_PER_ARRAY * kept.arrays);
    if (least <= most) break;
  }
  if (least > most) return `${Math.round(least / 1000)} µs for ${bytes.length} bytes, ${kept.arrays} arrays`;
  const room = FREE_BYTES + BYTES_PER_BYTE * (bytes.length + asked);
  // Empty rows may take 4 MiB without being asked for.
  if (kept.bytes > room + 4 * FREE_BYTES) return `${kept.bytes} bytes of memory for ${bytes.length} bytes`;
  return null;
}
