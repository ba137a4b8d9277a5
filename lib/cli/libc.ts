/** The C library that this process runs on. */
import { readFileSync } from 'node:fs';

export type Libc = 'glibc' | 'musl';

/**
 * By the files that are mapped into this process. The system's own files tell less: what runs may have been started by
 * another loader, as musl's on Debian or glibc's on Alpine. Undefined where it is neither, or where nothing tells.
 */
export function runningLibc(): Libc | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return libcAmong(readFileSync('/proc/self/maps', 'utf8'));
  } catch {
    return undefined; // /proc is not mounted, or the host denies it
  }
}

/** Whose loader or library is among the mapped files. */
export function libcAmong(maps: string): Libc | undefined {
  if (/\/(ld-musl-|libc\.musl-)|-linux-musl\/libc\.so/.test(maps)) return 'musl';
  if (/\/(ld-linux-|libc\.so\.6|libc-2\.)/.test(maps)) return 'glibc';
  return undefined;
}
