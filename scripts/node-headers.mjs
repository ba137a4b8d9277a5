/** Where Node's headers are: beside Node, or where node-gyp keeps them, which fetches them when there are none. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

export function nodeHeaders() {
  const places = [
    join(dirname(process.execPath), '../include/node'),
    join(homedir(), '.cache/node-gyp', process.versions.node, 'include/node'),
  ];
  const found = () => places.find((place) => existsSync(join(place, 'node_api.h')));
  if (found() === undefined) spawnSync('npx', ['node-gyp', 'install'], { stdio: 'inherit' });
  const headers = found();
  if (headers === undefined) throw new Error(`no node_api.h in ${places.join(' nor ')}`);
  return headers;
}
