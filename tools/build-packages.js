// What the compiler leaves to do: says which folders hold CommonJS, and bundles the SDK into one file for pages that
// load it with `<script type="module">`. Plain JavaScript, because it is a part of the build.
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');

/** @type {(workspace: string, more?: object) => Promise<void>} Says that dist/cjs holds CommonJS, and no ESM as around it. */
async function markAsCommonjs(workspace, more = {}) {
  const manifest = { type: 'commonjs', ...more };
  await writeFile(join(ROOT, workspace, 'dist/cjs/package.json'), `${JSON.stringify(manifest)}\n`);
}

/**
 * A name like `#event-source` is looked up in the nearest package.json, and tools do not agree on which that is for the
 * modules in dist/cjs. So these name the file for Node, and `browser` tells bundlers what a page has in its place.
 */
async function nameEventSource() {
  const path = join(ROOT, 'sdk/dist/cjs/transport/event-source-transport.js');
  const code = await readFile(path, 'utf8');
  await writeFile(path, code.replace('"#event-source"', '"./event-source/package.js"'));
}

await markAsCommonjs('protocol');
await markAsCommonjs('sdk', {
  browser: { './transport/event-source/package.js': './transport/event-source/native.js' },
});
await nameEventSource();

await build({
  entryPoints: [join(ROOT, 'sdk/dist/bundle.js')],
  outfile: join(ROOT, 'sdk/dist/sluice.min.js'),
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  banner: { js: '/*! Sluice SDK, Apache-2.0 */' },
  // The compiler's short cut to the sources: here it is the built packages that are bundled.
  tsconfigRaw: {},
});

// npm takes a licence along only from the folder of the package.
for (const workspace of ['protocol', 'server', 'sdk']) {
  await copyFile(join(ROOT, 'LICENSE'), join(ROOT, workspace, 'LICENSE'));
}
