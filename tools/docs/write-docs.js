// Writes the pages of docs/ that are made from the code: docs/errors.md and docs/api. With `--check` it writes nothing, names
// the pages that are not as they should be, and exits 1 if there is one. Needs a build of the protocol.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { apiPages } from './api-pages.js';
import { errorPage } from './error-page.js';

const DOCS = join(import.meta.dirname, '../../docs');

/** @type {() => Promise<Map<string, string>>} Every page by its path within docs/. */
async function makePages() {
  const api = [...(await apiPages())].map(([path, text]) => [`api/${path}`, text]);
  return new Map([['errors.md', errorPage()], ...api]);
}

/** @type {() => Promise<Map<string, string>>} Those that there are. */
async function readPages() {
  const entries = await readdir(DOCS, { recursive: true });
  const paths = entries
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path === 'errors.md' || /^api\/.+\.md$/.test(path));
  return new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(DOCS, path), 'utf8')])),
  );
}

const [wanted, there] = await Promise.all([makePages(), readPages()]);
const paths = new Set([...wanted.keys(), ...there.keys()]);
const changed = [...paths].filter((path) => wanted.get(path) !== there.get(path));

for (const path of changed) {
  const text = wanted.get(path);
  const file = join(DOCS, path);
  if (process.argv.includes('--check')) {
    process.stdout.write(`docs/${path} is not as the code says: npm run docs\n`);
    process.exitCode = 1;
  } else if (text === undefined) {
    await rm(file);
  } else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}
