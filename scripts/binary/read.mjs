/** Reads a library or an object of any of the formats that addons come in. */
import { isElf, readElf, readElfObject } from './elf.mjs';
import { isMachO, readMachO, readMachOObject } from './macho.mjs';
import { isCoffObject, isPe, readCoffObject, readPe } from './pe.mjs';

/** @returns { format: 'elf' | 'mach-o' | 'pe' } and what the format's reader finds. */
export function readLibrary(bytes) {
  if (isElf(bytes)) return { format: 'elf', ...readElf(bytes) };
  if (isMachO(bytes)) return { format: 'mach-o', ...readMachO(bytes) };
  if (isPe(bytes)) return { format: 'pe', ...readPe(bytes) };
  throw new Error('neither ELF, Mach-O nor PE');
}

/** @returns every symbol that an object defines for others: { name, weak }, names as C has them. */
export function readObjectSymbols(bytes) {
  if (isElf(bytes)) return readElfObject(bytes);
  if (isMachO(bytes)) return readMachOObject(bytes);
  if (isCoffObject(bytes)) return readCoffObject(bytes);
  throw new Error('neither ELF, Mach-O nor COFF');
}
