export interface GeneratedFile {
  readonly bytes: Buffer;
  /** Bytes that its members hold when they are expanded. */
  readonly asked: number;
}
type Format = 'npy' | 'npz' | 'sparse' | 'mtx' | 'safetensors';
export const GRAMMARS: Readonly<Record<Format, (random: unknown) => GeneratedFile>>;
export function generate(format: Format, seed: number): GeneratedFile;
