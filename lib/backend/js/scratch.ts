/**
 * Arrays that live as long as the module that works in them, cut from one buffer.
 *
 * V8 compiles the address and length of a constant array into the loops that use it. Once any ArrayBuffer of the
 * process has been transferred, it also checks in every step that no buffer has been; of one buffer once is enough
 * (on Zen 4 a product then keeps 80 to 85 % of its speed, and 64 % with a buffer for each array).
 */
export class Scratch<const Lengths extends readonly number[]> {
  readonly arrays: { readonly [I in keyof Lengths]: Float64Array };
  #owner: object | null = null;

  constructor(...lengths: Lengths) {
    const buffer = new ArrayBuffer(8 * lengths.reduce((sum, length) => sum + length, 0));
    let offset = 0;
    const arrays = lengths.map((length) => {
      const array = new Float64Array(buffer, offset, length);
      offset += array.byteLength;
      return array;
    });
    this.arrays = arrays as unknown as { readonly [I in keyof Lengths]: Float64Array };
  }

  /**
   * Gives the arrays to an owner, until another one asks: work that is done in slices may find another's contents in them
   * when it goes on. To be called before they are read or written in a unit of work.
   *
   * @param owner  What the contents are of, an object of its own for each.
   * @returns whether they still hold what this owner left in them.
   */
  hold(owner: object): boolean {
    const isHeld = this.#owner === owner;
    this.#owner = owner;
    return isHeld;
  }
}

/** Arrays of a buffer side by side, as one. */
export function joined(arrays: readonly [Float64Array, ...Float64Array[]]): Float64Array {
  const length = arrays.reduce((sum, array) => sum + array.length, 0);
  return new Float64Array(arrays[0].buffer, arrays[0].byteOffset, length);
}
