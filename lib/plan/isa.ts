/** What the choice of an algorithm needs to know of the machine, as plain data. */
export type Isa = 'avx512' | 'avx2' | 'neon' | 'generic' | 'js';

export interface Machine {
  readonly isa: Isa;
  readonly threads: number;
}
