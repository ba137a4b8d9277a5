/** The part of WebAssembly that is needed here: the declarations of Node.js have none of it. */
interface WithMemory {
  readonly Memory: new (sizes: {
    initial: number;
    maximum: number;
    shared: true;
  }) => { readonly buffer: ArrayBuffer };
}

type Shareable = Float32ArrayConstructor | Float64ArrayConstructor | Int32ArrayConstructor;

/** An array over memory that threads share: ordinary pages have no SharedArrayBuffer, and get at one nevertheless. */
export function sharedArray<A extends Shareable>(kind: A, length: number): InstanceType<A> {
  const { Memory }: WithMemory = Reflect.get(globalThis, 'WebAssembly');
  const { buffer } = new Memory({ initial: 1, maximum: 1, shared: true });
  return new kind(buffer, 0, length) as InstanceType<A>;
}
