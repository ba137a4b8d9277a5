import type { ConvmatError, io } from 'convmat';
import type { GeneratedFile } from './grammars.mjs';

type Read = (source: io.Source, options?: io.ReadOptions) => Promise<unknown>;
export function readersOf(files: typeof io): Record<'npy' | 'npz' | 'sparse' | 'mtx' | 'safetensors', Read>;
export function misread(
  convmat: { ConvmatError: typeof ConvmatError },
  read: Read,
  file: GeneratedFile,
  source: string | undefined,
  slack: number,
): Promise<string | null>;
