// Ends `npm run build:native` and `npm run build:ts`: scripts/ensure-built.mjs need not run them again.
import { markBuilt } from './built.mjs';

markBuilt(process.argv[2]);
