// Bundles `import { RealtimeClient } from '@sluice/sdk'` as a page's bundler does, and fails if what the page has to load
// at its start is more than it may be.
// The core is measured as one file, minified and gzipped (-9), for browsers, with each `import()` left as it is: that is
// what a bundler's chunk of the static part holds. What the SDK loads only when an option asks for it is listed apart.
// Prints a table; with `--verbose` also what each module takes. Needs a build.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');
/** Bytes of the minified core after gzip -9: what it must not grow beyond. */
const MOST_CORE_BYTES = 11_264;
/** What it shall come down to. */
const WANTED_CORE_BYTES = 8_192;

/**
 * @typedef {object} Part A file that the bundler made.
 * @property {string} entryPoint The module that it was made for; empty for what several of them share.
 * @property {Uint8Array} contents
 * @property {Record<string, { bytesInOutput: number }>} modules
 */

/** @type {import('esbuild').Plugin} */
const leaveDynamicImports = {
  name: 'leave-dynamic-imports',
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    );
  },
};

/** @type {(options: import('esbuild').BuildOptions) => Promise<Part[]>} */
async function bundle(options) {
  const { outputFiles = [], metafile = { outputs: {} } } = await build({
    stdin: { contents: `export { RealtimeClient } from '@sluice/sdk';`, resolveDir: ROOT },
    outdir: join(ROOT, 'out'),
    absWorkingDir: ROOT,
    write: false,
    metafile: true,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // The compiler's short cut to the sources: here it is the built packages that are measured.
    tsconfigRaw: {},
    ...options,
  });
  return Object.entries(metafile.outputs).map(([path, { entryPoint = '', inputs }]) => {
    const contents = outputFiles.find((file) => file.path === join(ROOT, path))?.contents;
    if (contents === undefined) throw new Error(`the bundler has not written ${path}`);
    return { entryPoint, contents, modules: inputs };
  });
}

/** @type {(name: string, contents: Uint8Array) => number} The bytes after gzip -9. */
function printSize(name, contents) {
  const gzipped = gzipSync(contents, { level: 9 }).byteLength;
  printRow(name, contents.byteLength, gzipped);
  return gzipped;
}

/** @type {(name: string, minified: number | string, gzipped: number | string) => void} */
function printRow(name, minified, gzipped) {
  process.stdout.write(
    `${name.padEnd(48)} ${String(minified).padStart(8)} ${String(gzipped).padStart(8)}\n`,
  );
}

/** @type {(part: Part) => void} */
function printModules({ modules }) {
  const bySize = Object.entries(modules).sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
  for (const [path, { bytesInOutput }] of bySize) {
    if (bytesInOutput > 0) printRow(`  ${path}`, bytesInOutput, '');
  }
}

const isVerbose = process.argv.includes('--verbose');
const [core] = await bundle({ plugins: [leaveDynamicImports] });
if (core === undefined) throw new Error('the bundler has written nothing');
const chunks = await bundle({ splitting: true });

printRow('@sluice/sdk in a page, in bytes', 'minified', 'gzip -9');
const coreBytes = printSize('core: loaded at the start', core.contents);
if (isVerbose) printModules(core);
for (const chunk of chunks) {
  if (['', '<stdin>'].includes(chunk.entryPoint)) continue;
  printSize(`on demand: ${chunk.entryPoint.replace('/dist/', '/')}`, chunk.contents);
  if (isVerbose) printModules(chunk);
}
printSize(
  'sdk/dist/sluice.min.js: all in one',
  await readFile(join(ROOT, 'sdk/dist/sluice.min.js')),
);

if (coreBytes > WANTED_CORE_BYTES) {
  process.stdout.write(
    `The core is ${coreBytes - WANTED_CORE_BYTES} bytes above the ${WANTED_CORE_BYTES} that are wanted.\n`,
  );
}
if (coreBytes > MOST_CORE_BYTES) {
  process.stdout.write(
    `The core is ${coreBytes - MOST_CORE_BYTES} bytes above the ${MOST_CORE_BYTES} that it may have.\n`,
  );
  process.exitCode = 1;
}
