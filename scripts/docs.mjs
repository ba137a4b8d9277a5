/**
 * The documentation's site: docs/*.md, the API reference and the explorer, in one static folder with a search. build-docs/ can
 * be hosted as it is.
 *
 *   npm run docs [-- --check]      --check: no pages are written; fails when a name that users see has no comment, or a
 *                                  function or class no example
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildExplorer } from '../docs/site/explorer/build.mjs';
import { markBuilt } from './built.mjs';
import { installTools } from './tools.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const site = join(root, 'docs/site');
const check = process.argv.includes('--check');
installTools(site);
const { ReflectionKind } = await import(
  pathToFileURL(join(site, 'node_modules/typedoc/dist/models.js')).href
);

/** README's links lead to the repository, since the package has no docs/; the site has these pages itself. */
function writeFrontPage() {
  const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const home = repository.url.replace(/^git\+|\.git$/g, '');
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const local = readme.replaceAll(`${home}/blob/main/`, '../');
  mkdirSync(join(root, 'build-docs'), { recursive: true });
  writeFileSync(join(root, 'build-docs/front-page.md'), local);
}

/** Names without a comment, one a line: a name that is not in the list fails, and so does one that has got its comment. */
function compare(undocumented) {
  const path = join(site, 'undocumented.txt');
  const known = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  const added = undocumented.filter((name) => !known.includes(name));
  const gone = known.filter((name) => !undocumented.includes(name));
  if (process.argv.includes('--renew')) writeFileSync(path, undocumented.map((name) => `${name}\n`).join(''));
  for (const name of added) console.error(`${name}: has no comment`);
  for (const name of gone)
    console.error(`${name}: has a comment now; take it off docs/site/undocumented.txt`);
  console.log(`${undocumented.length} names without a comment, ${known.length} of them known`);
  return added.length + gone.length === 0;
}

/** Functions and classes without an example; of overloads, one has it. */
function* withoutExample({ children = [] }, path = []) {
  for (const child of children) {
    const name = [...path, child.name];
    const comments = [child.comment, ...(child.signatures ?? []).map(({ comment }) => comment)];
    const has = comments.some((comment) => comment?.blockTags?.some(({ tag }) => tag === '@example'));
    if (!has && [ReflectionKind.Function, ReflectionKind.Class].includes(child.kind)) yield name.join('.');
    if ([ReflectionKind.Module, ReflectionKind.Namespace].includes(child.kind))
      yield* withoutExample(child, name);
  }
}

writeFrontPage();
const tool = join(site, 'node_modules/typedoc/bin/typedoc');
const reference = join(root, 'build-docs/reference.json');
const pages = check ? [] : ['--html', join(root, 'build-docs/site')];
const options = ['--options', join(site, 'typedoc.json'), '--json', reference, ...pages];
const { status, stdout, stderr } = spawnSync(process.execPath, [tool, ...options], {
  cwd: site,
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1' },
  maxBuffer: 1 << 26,
});
const messages = `${stdout}${stderr}`.split('\n');
const MISSING = /^\[warning\] (\S+) \((\w+)\), defined in (\S+), does not have any documentation/;
const missing = messages.map((line) => MISSING.exec(line)).filter((found) => found !== null);
// Members of types without a name are described where the type is used; Symbol.dispose is dispose().
const undocumented = missing.map(([, name]) => name).filter((name) => !/__type|\[dispose\]$/.test(name));
const others = messages.filter(
  (line) => /^\[(warning|error)\]/.test(line) && !MISSING.test(line) && !/ Found /.test(line),
);
for (const line of others) console.error(line);
const plain = status === 0 ? [...withoutExample(JSON.parse(readFileSync(reference, 'utf8')))] : [];
for (const name of plain) console.error(`${name}: has no example`);
const isComplete = compare([...new Set(undocumented)].sort()) && plain.length === 0;
if (!check && status === 0) {
  // TypeDoc empties the folder first.
  await buildExplorer(join(root, 'build-docs/site/explorer'));
  markBuilt('docs');
  console.log('build-docs/site/index.html');
}
process.exit(status === 0 && isComplete && others.length === 0 ? 0 : 1);
