/** Puts convmat in the place of onnxruntime for a whole program: node --import ./replace.mjs program.mjs */
import { register } from 'node:module';

register('./replace-hooks.mjs', import.meta.url);
