import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { type BuildOptions, build, type Plugin, stop } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');

/** Leaves what is loaded on demand to be loaded on demand. */
const ON_DEMAND: Plugin = {
  name: 'on-demand',
  setup: ({ onResolve }) => {
    onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : null,
    );
  },
};

/** The modules of the built packages that a page's bundler takes over for these lines. */
async function modulesFor(contents: string, options: BuildOptions = {}): Promise<string[]> {
  const { metafile } = await build({
    stdin: { contents, resolveDir: ROOT },
    absWorkingDir: ROOT,
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    // The compiler's short cut to the sources: here it is the built packages that are bundled.
    tsconfigRaw: {},
    ...options,
    metafile: true,
  });
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  return inputs.flatMap(([path, { bytesInOutput }]) =>
    bytesInOutput > 0 && path !== '<stdin>' ? [path] : [],
  );
}

afterAll(() => stop());

describe('a bundler', () => {
  it('takes no client along with the helpers for tokens', async () => {
    const modules = await modulesFor(`export * from '@sluice/sdk/token';`);
    expect(modules.filter((path) => path.startsWith('sdk/dist/token/'))).not.toEqual([]);
    expect(
      modules.filter((path) => /(client|connection|transport|subscription)/.test(path)),
    ).toEqual([]);
  });

  it('takes two modules along with RealtimeError', async () => {
    const modules = await modulesFor(`export { RealtimeError } from '@sluice/sdk';`, {
      plugins: [ON_DEMAND],
    });
    expect(modules.sort()).toEqual(['protocol/dist/errors.js', 'sdk/dist/errors.js']);
  });

  it('takes one module along with a helper of the protocol', async () => {
    const modules = await modulesFor(`export { parseCursor } from '@sluice/protocol';`);
    expect(modules).toEqual(['protocol/dist/cursor.js']);
  });

  describe.each([
    { format: 'ESM', line: `export * from '@sluice/sdk';`, from: 'sdk/dist/' },
    { format: 'CommonJS', line: `module.exports = require('@sluice/sdk');`, from: 'sdk/dist/cjs/' },
  ])('that meets $format', ({ line, from }) => {
    it('takes nothing for Node into a page, and the EventSource of the browser', async () => {
      const modules = await modulesFor(line);
      expect(modules.filter((path) => path.startsWith('node_modules/'))).toEqual([]);
      expect(modules).toContain(`${from}transport/event-source/native.js`);
    });

    it('takes the package `eventsource` into a program for Node', async () => {
      const modules = await modulesFor(line, { platform: 'node' });
      expect(modules).toContain(`${from}transport/event-source/package.js`);
      expect(modules).not.toContain(`${from}transport/event-source/native.js`);
    });

    it('takes every module in that format', async () => {
      const modules = await modulesFor(line);
      const ours = modules.filter((path) => path.startsWith('sdk/'));
      expect(ours).toContain(`${from}client.js`);
      expect(
        ours.filter((path) => !path.startsWith(from) || path.startsWith(`${from}cjs/`)),
      ).toEqual([]);
    });
  });
});
