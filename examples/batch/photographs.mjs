/** The folder that is worked through: drawn faces of many sizes, made when they are not there. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawnFace } from '../service/drawing.mjs';

const folder = join(import.meta.dirname, 'photographs');

export async function photographs(count) {
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    const path = join(folder, `${String(i).padStart(4, '0')}.jpg`);
    if (!existsSync(path)) writeFileSync(path, await drawnFace(320 + 16 * (i % 40), 240 + 12 * (i % 40)));
  }
  return readdirSync(folder)
    .sort()
    .slice(0, count)
    .map((name) => join(folder, name));
}
