/** What files-node.ts gives, where there are no files: reasons why not. Models come as bytes there. */
import { UnsupportedError } from '../errors.js';

function absent(): never {
  throw new UnsupportedError(
    'model: expected its bytes, since this is a build for browsers, which have no files',
  );
}

export const basename = absent;
export const dirname = absent;
export const joinPath = absent;
export const locate = absent;
export const makeFolder = absent;
export const pathOf = absent;
export const readWhole = absent;
export const writeArray = absent;
export const writeFile = absent;
export const writeMatrix = absent;
