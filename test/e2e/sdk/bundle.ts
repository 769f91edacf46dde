import { join } from 'node:path';
import { buildSync } from 'esbuild';

/**
 * The scenarios as one script. The page's holds the built SDK, as a bundler takes it by the `browser` condition; the one for
 * Node leaves the packages to Node, which finds them by the `node` condition.
 */
export function bundleSuite(place: 'node' | 'page'): string {
  const { outputFiles } = buildSync({
    entryPoints: [join(import.meta.dirname, `in-${place}.ts`)],
    bundle: true,
    format: 'esm',
    write: false,
    target: 'es2022',
    // The compiler's short cut to the sources: here it is the packages that are tried.
    tsconfigRaw: {},
    ...(place === 'node' ? { platform: 'node', packages: 'external' } : { platform: 'browser' }),
  });
  const [script] = outputFiles;
  if (script === undefined) throw new Error('nothing was bundled');
  return script.text;
}
