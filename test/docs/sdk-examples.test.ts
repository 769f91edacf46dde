import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { transformSync } from 'esbuild';
import { publish } from '../support/playground.js';
import { type RunningScript, runScript } from '../support/run-script.js';
import { Service } from '../support/service.js';
import { addServiceAccount, tokenOfAccount } from '../support/service-account.js';
import { findExamples } from './examples.js';
import { ROOT } from './markdown.js';

const ACCOUNT = 'billing';
const ALL = findExamples().whole.filter(({ document }) => document === 'docs/sdk.md');
const COMPONENTS = ALL.filter(({ extension }) => extension === 'tsx');
const SCRIPTS = ALL.filter(({ extension }) => extension !== 'tsx');
const SUBSCRIBERS = SCRIPTS.filter(({ code }) => code.includes('.subscribe('));
const OTHERS = SCRIPTS.filter((script) => !SUBSCRIBERS.includes(script));

describe('the examples of docs/sdk.md, run as they are', () => {
  let service: Service;
  let backend: Server;
  let secret: string;
  let folder: string;

  beforeAll(async () => {
    service = await Service.start();
    secret = await addServiceAccount(ACCOUNT, service);
    backend = await startBackend();
    await mkdir(join(ROOT, '.cache'), { recursive: true });
    // Within the repository, so that packages are found as they are by the sources.
    folder = await mkdtemp(join(ROOT, '.cache/run-'));
  });
  afterAll(async () => {
    backend.closeAllConnections();
    backend.close();
    await service[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(OTHERS)('runs to its end the one in line $line', async ({ code, line }) => {
    await using example = await runExample(code, line);
    expect(await example.exited).toBe(0);
  });

  it.each(COMPONENTS)('renders on a server the one in line $line', async ({ code, line }) => {
    const rendering = `import { renderToString } from 'react-dom/server';
      console.log(renderToString(<App token={undefined} />));`;
    await using example = await runExample(rendering + code, line);
    await example.lines.find((text) => text.startsWith('<p'));
    expect(await example.exited).toBe(0);
  });

  it.each(SUBSCRIBERS)('gets an event by the one in line $line', async ({ code, line }) => {
    await using example = await runExample(code, line);
    await example.lines.find((text) => text === 'the example is connected');
    const { token } = await tokenOfAccount(ACCOUNT, secret, service);
    await publish(service.url, token, [{ topic: 'orders', type: 'order.created', data: { n: 1 } }]);
    await example.lines.find((text) => text.includes('order.created'));
  });

  async function runExample(code: string, line: number): Promise<RunningScript> {
    const { port } = backend.address() as AddressInfo;
    const file = join(folder, `line-${line}.mjs`);
    await writeFile(file, runnable(code, port));
    return runScript(file, {
      STAGE_ENDPOINT: service.url,
      STAGE_BACKEND: `http://127.0.0.1:${port}`,
      STAGE_IS_PAGE: String(/\bdocument\b/.test(code)),
      SLUICE_CLIENT_ID: ACCOUNT,
      SLUICE_CLIENT_SECRET: secret,
    });
  }

  /** The example for this service and this backend, behind the stage that it stands on. */
  function runnable(code: string, port: number): string {
    const plain = transformSync(code, {
      loader: 'tsx',
      jsx: 'automatic',
      format: 'esm',
      target: 'node20',
    });
    const placed = plain.code
      .replaceAll('https://events.example.com', service.url)
      .replaceAll('https://app.example.com', `http://127.0.0.1:${port}`);
    return `import '${join(ROOT, 'test/docs/stage.js')}';\n${placed}`;
  }

  /** The reader's own backend: gives out tokens in each of the forms that the document speaks of. */
  async function startBackend(): Promise<Server> {
    const server = createServer(async (request, response) => {
      const { token, expiresAt } = await tokenOfAccount(ACCOUNT, secret, service);
      const path = new URL(request.url ?? '', 'http://backend');
      if (path.pathname === '/realtime-token' && !path.search) response.end(token);
      else if (path.pathname === '/session')
        response.end(JSON.stringify({ realtime: { jwt: token } }));
      else {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ token, expiresAt }));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  }
});
