/** What the choice of an algorithm needs to know of the machine, as plain data. */
export type NativeIsa = 'avx512' | 'avx2' | 'neon' | 'generic';
/** What a backend runs on. */
export type Isa = NativeIsa | 'js';

export interface Machine {
  readonly isa: Isa;
  readonly threads: number;
}
