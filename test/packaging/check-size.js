// Bundles `import { RealtimeClient } from '@sluice/sdk'` as a page's bundler does, and fails if what the page has to load
// at its start is more than it may be. What the SDK loads only when an option asks for it is listed apart.
// The files that the bundler makes of the core are compressed together: other bundlers make one file of them.
// Prints a table; with `--verbose` also what each module takes. Needs a build.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');
/** Bytes of the minified core after gzip -9. */
const MOST_CORE_BYTES = 8_192;

/**
 * @typedef {object} Part A file that the bundler made.
 * @property {string} name
 * @property {Uint8Array} contents
 * @property {boolean} isCore Whether the page loads it at its start.
 * @property {Record<string, { bytesInOutput: number }>} modules
 */

/** @type {() => Promise<Part[]>} */
async function bundleParts() {
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export { RealtimeClient } from '@sluice/sdk';`, resolveDir: ROOT },
    outdir: join(ROOT, 'out'),
    absWorkingDir: ROOT,
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // The compiler's short cut to the sources: here it is the built packages that are measured.
    tsconfigRaw: {},
  });
  const core = loadedAtStart(metafile.outputs);
  return Object.entries(metafile.outputs).map(([path, { entryPoint, inputs }]) => {
    const contents = outputFiles.find((file) => file.path === join(ROOT, path))?.contents;
    if (contents === undefined) throw new Error(`the bundler has not written ${path}`);
    return {
      name: entryPoint?.replace('/dist/', '/') ?? 'shared by some of these',
      contents,
      isCore: core.has(path),
      modules: inputs,
    };
  });
}

/**
 * The entry, and what it imports other than by `import()`.
 * @type {(outputs: import('esbuild').Metafile['outputs']) => Set<string>}
 */
function loadedAtStart(outputs) {
  const entry = Object.keys(outputs).find((path) => outputs[path].entryPoint === '<stdin>');
  const paths = new Set([entry]);
  for (const path of paths) {
    for (const { path: imported, kind } of outputs[path].imports) {
      if (kind === 'import-statement') paths.add(imported);
    }
  }
  return paths;
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

/** @type {(parts: Part[]) => void} */
function printModules(parts) {
  const modules = parts.flatMap((part) => Object.entries(part.modules));
  const bySize = modules.sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
  for (const [path, { bytesInOutput }] of bySize) {
    if (bytesInOutput > 0) printRow(`  ${path}`, bytesInOutput, '');
  }
}

const isVerbose = process.argv.includes('--verbose');
const parts = await bundleParts();
const core = parts.filter(({ isCore }) => isCore);
const lazy = parts.filter(({ isCore }) => !isCore);

printRow('@sluice/sdk in a page, in bytes', 'minified', 'gzip -9');
const coreBytes = printSize(
  'core: loaded at the start',
  Buffer.concat(core.map(({ contents }) => contents)),
);
if (isVerbose) printModules(core);
for (const part of lazy) {
  printSize(`on demand: ${part.name}`, part.contents);
  if (isVerbose) printModules([part]);
}
printSize(
  'sdk/dist/sluice.min.js: all in one',
  await readFile(join(ROOT, 'sdk/dist/sluice.min.js')),
);

if (coreBytes > MOST_CORE_BYTES) {
  process.stdout.write(
    `The core is ${coreBytes - MOST_CORE_BYTES} bytes above its ${MOST_CORE_BYTES}.\n`,
  );
  process.exitCode = 1;
}
