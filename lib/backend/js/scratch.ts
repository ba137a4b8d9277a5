/**
 * Arrays that live as long as the module that works in them, cut from one buffer.
 *
 * V8 compiles the address and length of a constant array into the loops that use it. Once any ArrayBuffer of the
 * process has been transferred, it also checks in every step that no buffer has been; of one buffer once is enough
 * (on Zen 4 a product then keeps 80 to 85 % of its speed, and 64 % with a buffer for each array).
 */
export function scratchArrays<const Lengths extends readonly number[]>(
  ...lengths: Lengths
): { [I in keyof Lengths]: Float64Array } {
  const buffer = new ArrayBuffer(8 * lengths.reduce((sum, length) => sum + length, 0));
  let offset = 0;
  const arrays = lengths.map((length) => {
    const array = new Float64Array(buffer, offset, length);
    offset += array.byteLength;
    return array;
  });
  return arrays as unknown as { [I in keyof Lengths]: Float64Array };
}
