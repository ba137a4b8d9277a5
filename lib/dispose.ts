/** What `using` disposes of, declared so that compilers whose libraries do not know Symbol.dispose can read it. */

/** Symbol.dispose where the library of the compiler at hand has it, otherwise no key at all. */
type DisposeKey = SymbolConstructor extends { readonly dispose: infer S extends symbol } ? S : never;

/** As the standard's Disposable. */
export type SelfDisposing = { readonly [K in DisposeKey]: () => void };

abstract class ByDispose {
  abstract dispose(): void;

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What is disposed of by its own `dispose`; a constant, whose declaration names no symbol. */
export const Disposing: abstract new () => SelfDisposing & { dispose(): void } = ByDispose;
