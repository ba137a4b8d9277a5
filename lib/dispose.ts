/** Declaring what `using` disposes of, also to compilers whose libraries do not know Symbol.dispose. */

/** Symbol.dispose where the library of the compiler at hand has it, otherwise no key at all. */
type DisposeKey = SymbolConstructor extends { readonly dispose: infer S extends symbol } ? S : never;

/** As the standard's Disposable. */
export type SelfDisposing = { readonly [K in DisposeKey]: () => void };
