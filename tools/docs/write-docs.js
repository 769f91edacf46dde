// Writes what is made from the code: docs/errors.md, docs/api, the tables of docs/configuration.md, and .env.example, and ops/log-pipelines. With
// `--check` it writes nothing, names the files that are not as they should be, and exits 1 if there is one. Needs a build of
// the protocol and the server.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { apiPages } from './api-pages.js';
import { errorPage } from './error-page.js';
import { logPipelineFiles } from './log-pipelines.js';
import { envExample, withSettingTables } from './settings-pages.js';

const ROOT = join(import.meta.dirname, '../..');
const CONFIGURATION = 'docs/configuration.md';
const RECIPES = 'ops/log-pipelines';

/** @type {(there: Map<string, string>) => Promise<Map<string, string>>} Every file by its path. */
async function makeFiles(there) {
  const api = [...(await apiPages())].map(([path, text]) => [`docs/api/${path}`, text]);
  return new Map([
    ['docs/errors.md', errorPage()],
    [CONFIGURATION, withSettingTables(there.get(CONFIGURATION) ?? '')],
    ['.env.example', envExample()],
    ...logPipelineFiles(),
    ...api,
  ]);
}

/** @type {() => Promise<Map<string, string>>} Those that there are. */
async function readFiles() {
  const entries = await readdir(join(ROOT, 'docs/api'), { recursive: true });
  const api = entries
    .map((path) => `docs/api/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.md'));
  const recipes = (await readdir(join(ROOT, RECIPES))).map((name) => `${RECIPES}/${name}`);
  const paths = ['docs/errors.md', CONFIGURATION, '.env.example', ...api, ...recipes];
  return new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(ROOT, path), 'utf8')])),
  );
}

const there = await readFiles();
const wanted = await makeFiles(there);
const paths = new Set([...wanted.keys(), ...there.keys()]);
const changed = [...paths].filter((path) => wanted.get(path) !== there.get(path));

for (const path of changed) {
  const text = wanted.get(path);
  const file = join(ROOT, path);
  if (process.argv.includes('--check')) {
    process.stdout.write(`${path} is not as the code says: npm run docs\n`);
    process.exitCode = 1;
  } else if (text === undefined) {
    await rm(file);
  } else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}
