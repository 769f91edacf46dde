// Packs each workspace as it would be published and checks the tarball: by publint, by are-the-types-wrong, for files that
// are missing, and for files that have no business in it. Prints one line a package; exits 1 if anything is wrong.
// Plain JavaScript, because `npm test` runs it before any test runner.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

/** How are-the-types-wrong looks at a workspace: as ESM alone, or as both formats, each with types of its own. */
const PROFILES = { protocol: 'node16', server: 'esm-only', sdk: 'node16' };
/** For pages, which know no types. */
const UNTYPED = ['./bundle'];

/** What a tarball holds beside `package.json`, and what it never holds. */
const WANTED = [
  /^dist\/.+\.(js|d\.ts|js\.map)$/,
  /^dist\/cjs\/package\.json$/,
  /^bin\/[a-z-]+\.js$/,
  /^(README\.md|LICENSE)$/,
];
const UNWANTED = /\.(test|contract)\.|(^|\/)(test|tests|__tests__|node_modules)\//;

/**
 * @typedef {object} Packed A packed workspace.
 * @property {string} name
 * @property {string} version
 * @property {string} filename
 * @property {number} size
 * @property {{ path: string }[]} files
 */

/** @type {(workspace: string, folder: string) => Promise<Packed>} */
async function pack(workspace, folder) {
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', folder, '--workspace', workspace],
    { cwd: ROOT, maxBuffer: 64 * 1024 * 1024, shell: process.platform === 'win32' },
  );
  return JSON.parse(stdout)[0];
}

/** @type {(workspace: string, packed: Packed) => Promise<string[]>} */
async function faultsOfFiles(workspace, { files }) {
  const paths = files.map(({ path }) => path).filter((path) => path !== 'package.json');
  const expected = await expectedModules(workspace);
  return [
    ...expected
      .filter((path) => !paths.includes(path))
      .map((path) => `${path} is missing: empty dist, and build`),
    ...paths.flatMap((path) => {
      if (UNWANTED.test(path)) return [`${path} is a file for tests`];
      if (/^dist\/.+\.js$/.test(path) && !expected.includes(path)) {
        return [`${path} has no source: empty dist, and build`];
      }
      return WANTED.some((wanted) => wanted.test(path)) ? [] : [`${path} is not expected`];
    }),
  ];
}

/** @type {(workspace: string) => Promise<string[]>} The modules that the sources of a workspace become. */
async function expectedModules(workspace) {
  const entries = await readdir(join(ROOT, workspace), { recursive: true });
  const modules = entries
    .map((path) => path.replaceAll('\\', '/'))
    .filter(
      (path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$|(^|\/)(dist|node_modules)\//.test(path),
    )
    .map((path) => path.replace(/\.tsx?$/, '.js'));
  const folders = PROFILES[workspace] === 'esm-only' ? ['dist'] : ['dist', 'dist/cjs'];
  return [
    ...folders.flatMap((folder) => modules.map((path) => `${folder}/${path}`)),
    ...(workspace === 'sdk' ? ['dist/sluice.min.js'] : []),
  ];
}

/** @type {(workspace: string, tarball: string) => Promise<string[]>} */
async function faultsByPublint(workspace, tarball) {
  const manifest = JSON.parse(await readFile(join(ROOT, workspace, 'package.json'), 'utf8'));
  const bytes = await readFile(tarball);
  const { messages } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
    strict: true,
  });
  return messages.map(
    (message) =>
      `publint ${message.type}: ${formatMessage(message, manifest, { color: false }) ?? message.code}`,
  );
}

/** @type {(workspace: string, tarball: string) => Promise<string[]>} */
async function faultsByTypes(workspace, tarball) {
  const manifest = createRequire(import.meta.url).resolve('@arethetypeswrong/cli/package.json');
  const cli = join(dirname(manifest), JSON.parse(await readFile(manifest, 'utf8')).bin.attw);
  try {
    await run(process.execPath, [
      ...[cli, tarball, '--profile', PROFILES[workspace], '--no-definitely-typed'],
      ...['--exclude-entrypoints', ...UNTYPED],
      ...['--format', 'ascii', '--no-color', '--no-emoji'],
    ]);
    return [];
  } catch (error) {
    return [`are the types wrong: ${error.stdout || error.message}`];
  }
}

const folder = await mkdtemp(join(tmpdir(), 'sluice-packages-'));
try {
  const reports = await Promise.all(
    Object.keys(PROFILES).map(async (workspace) => {
      const packed = await pack(workspace, folder);
      const tarball = join(folder, packed.filename);
      const faults = [
        ...(await faultsOfFiles(workspace, packed)),
        ...(await faultsByPublint(workspace, tarball)),
        ...(await faultsByTypes(workspace, tarball)),
      ];
      return { packed, faults };
    }),
  );
  for (const { packed, faults } of reports) {
    const about = `${packed.files.length} files, ${Math.ceil(packed.size / 1024)} KB`;
    process.stdout.write(
      `${packed.name}@${packed.version}: ${faults.length === 0 ? `sound (${about})` : `${faults.length} faults`}\n`,
    );
    for (const fault of faults) process.stdout.write(`  - ${fault.replaceAll('\n', '\n    ')}\n`);
    if (faults.length > 0) process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
