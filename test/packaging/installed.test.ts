import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { launchBrowser } from '../support/browsers.js';
import { frames } from '../support/fault-server.js';
import { type Listening, listen } from '../support/test-service.js';
import { describeWith } from '../support/tools.js';
import { type InstalledPackages, installPackages } from './installed-packages.js';

let installed: InstalledPackages;
beforeAll(async () => {
  installed = await installPackages();
}, 120_000);
afterAll(async () => {
  await installed[Symbol.asyncDispose]();
});

/** A service that lets everybody in and sends one event: enough for whoever only has to be wired up rightly. */
async function listenAsService(): Promise<Listening & { readonly origin: string }> {
  const script = join(installed.folder, 'node_modules/@sluice/sdk/dist/sluice.min.js');
  const listening = await listen(async (request, response) => {
    const answer = (type: string, body: string | Buffer, status = 200) =>
      response.writeHead(status, { 'Content-Type': type }).end(body);
    if (request.url === '/') answer('text/html', PAGE);
    else if (request.url === '/sluice.min.js') answer('text/javascript', await readFile(script));
    else if (request.method === 'POST') answer('application/json', STREAM_TOKEN, 201);
    else {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(frames.connected(0) + frames.event(1, 'hello'));
    }
  });
  return { ...listening, origin: `http://127.0.0.1:${listening.port}` };
}

const STREAM_TOKEN = '{"streamToken":"once","expiresAt":"2030-01-01T00:00:00Z"}';

/** Subscribes by one transport after the other; what their events carry. */
const SUBSCRIBE = `
async function subscribe(RealtimeClient, endpoint) {
  const seen = [];
  for (const transport of ['fetch', 'eventsource']) {
    const client = new RealtimeClient({ endpoint, workspace: 'acme', token: 'token-1', transport });
    client.onStateChange(() => client.lastError && console.error(transport, client.lastError));
    for await (const { event } of client.subscribe()) {
      seen.push(transport + ': ' + event.data);
      break;
    }
    client.close();
  }
  return seen.join(', ');
}
`;
const SEEN = 'fetch: hello, eventsource: hello';

const PAGE = `<!doctype html><title></title>
<script type="module">
import { RealtimeClient } from './sluice.min.js';
${SUBSCRIBE}
document.title = await subscribe(RealtimeClient, location.origin);
</script>`;

function describeNode(title: string, node: string): void {
  describe(title, () => {
    it.each([
      { way: 'imports', file: 'run.mjs', line: `import { RealtimeClient } from '@sluice/sdk';` },
      {
        way: 'requires',
        file: 'run.cjs',
        line: `const { RealtimeClient } = require('@sluice/sdk');`,
      },
    ])('$way the SDK, and subscribes by each transport', async ({ file, line }) => {
      await using service = await listenAsService();
      const script = await installed.write(
        file,
        `${line}${SUBSCRIBE}subscribe(RealtimeClient, process.argv[2]).then(console.log);`,
      );
      expect(await installed.run(node, [script, service.origin])).toBe(`${SEEN}\n`);
    });

    it('finds the same exports either way', async () => {
      const script = await installed.write(
        'exports.mjs',
        `import { createRequire } from 'node:module';
        const require = createRequire(import.meta.url);
        const names = (module) => Object.keys(module).filter((name) => !/^(default|module\\.exports|__esModule)$/.test(name)).sort();
        for (const name of ['@sluice/sdk', '@sluice/sdk/react', '@sluice/sdk/token', '@sluice/protocol']) {
          const ways = [names(await import(name)), names(require(name))];
          if (ways[0].length === 0 || String(ways[0]) !== String(ways[1])) throw new Error(name + ': ' + ways.join(' / '));
        }
        const { RealtimeError } = require('@sluice/sdk');
        const { RealtimeError: Other } = await import('@sluice/sdk');
        console.log(RealtimeError !== Other && Other.isRealtimeError(new RealtimeError('CLOSED')));`,
      );
      expect(await installed.run(node, [script])).toBe('true\n');
    });

    it('touches no global when the SDK is imported and a client is made', async () => {
      const script = await installed.write(
        'globals.mjs',
        `const touched = [];
        const names = ['window', 'document', 'navigator', 'location', 'localStorage', 'fetch', 'EventSource',
          'BroadcastChannel', 'addEventListener', 'setTimeout', 'setInterval'];
        const real = names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
        for (const name of names) {
          Object.defineProperty(globalThis, name, { configurable: true, get: () => void touched.push(name) });
        }
        const { RealtimeClient } = await import('@sluice/sdk');
        await import('@sluice/sdk/react');
        const options = { endpoint: 'https://events.example.com', workspace: 'acme' };
        new RealtimeClient({ ...options, token: 't' });
        new RealtimeClient({ ...options, token: 't', transport: 'eventsource', crossTab: 'shared' });
        for (const [name, descriptor] of real) {
          if (descriptor) Object.defineProperty(globalThis, name, descriptor);
        }
        console.log(touched.join());`,
      );
      expect(await installed.run(node, [script])).toBe('\n');
    });

    it('imports the script for pages', async () => {
      const script = await installed.write(
        'bundle.mjs',
        `import { RealtimeClient, decodeToken } from '@sluice/sdk/bundle';
        console.log(typeof RealtimeClient, typeof decodeToken);`,
      );
      expect(await installed.run(node, [script])).toBe('function function\n');
    });
  });
}

describeNode('the Node of the tests', process.execPath);
describeWith('node-22', 'Node 22', (path) => describeNode('installed there', path));
describeWith('node-24', 'Node 24', (path) => describeNode('installed there', path));

describeWith('chromium', 'a page in Chromium', (path) => {
  it('loads the script for pages, and subscribes by each transport', async () => {
    await using service = await listenAsService();
    await using browser = await launchBrowser('chromium', path);
    const page = await browser.open(service.origin);
    await page.waitForFunction(() => document.title !== '');
    expect(await page.title()).toBe(SEEN);
  }, 60_000);
});

const CONSUMER = `
import { type ErrorCode, RealtimeClient, RealtimeError } from '@sluice/sdk';
import { RealtimeProvider, useSubscription } from '@sluice/sdk/react';
import { decodeToken } from '@sluice/sdk/token';
import { ERRORS } from '@sluice/protocol';

const endpoint = 'https://events.example.com';
export const client = new RealtimeClient({ endpoint, workspace: 'acme', token: 't' });
// @ts-expect-error Two ways of getting a token.
new RealtimeClient({ endpoint, workspace: 'acme', token: 't', clientId: 'c', clientSecret: 's' });
client.subscribe({ onEvent: (event) => console.log(event.type) });
export const codes: readonly ErrorCode[] = [new RealtimeError('CLOSED').code, 'AUTH_ERROR'];
export const parts = [RealtimeProvider, useSubscription, decodeToken, ERRORS.CLOSED];
`;

describe('TypeScript', () => {
  it.each([
    { file: 'esm.mts', module: 'nodenext', moduleResolution: 'nodenext' },
    { file: 'cjs.cts', module: 'nodenext', moduleResolution: 'nodenext' },
    { file: 'bundled.ts', module: 'esnext', moduleResolution: 'bundler' },
  ])('finds the types for $file with $moduleResolution', async ({ file, ...options }) => {
    await installed.write(file, CONSUMER);
    const settings = await installed.write(
      `tsconfig-${file}.json`,
      JSON.stringify({
        compilerOptions: {
          ...{ ...options, target: 'es2023', lib: ['es2023', 'esnext.disposable', 'dom'] },
          ...{ strict: true, noEmit: true, types: [], skipLibCheck: false },
        },
        files: [file],
      }),
    );
    const compiler = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
    expect(await installed.run(process.execPath, [compiler, '-p', settings])).toBe('');
  });
});
