import { request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { buildSync } from 'esbuild';
import type { Page } from 'puppeteer-core';
import { launchBrowser, type TestBrowser } from '../support/browsers.js';
import { Inbox } from '../support/inbox.js';
import { numbered, type Playground, startPlayground } from '../support/playground.js';
import { type Listening, listen } from '../support/test-service.js';
import { describeWith } from '../support/tools.js';

/** More than a browser opens to one origin over HTTP/1.1, which is six. */
const TABS = 8;

const PAGE = `<!doctype html><title>tab</title><script type="module">
import { RealtimeClient } from '/sdk.js';
const client = new RealtimeClient({
  endpoint: location.origin,
  workspace: 'acme',
  crossTab: new URLSearchParams(location.search).get('crossTab') ?? undefined,
  backoff: { baseMs: 20, ceilMs: 100 },
  getToken: async () => (await fetch('/token')).text(),
});
const told = { numbers: [], errors: [], connected: 0, disconnected: 0 };
client.subscribe({
  topics: ['orders'],
  onEvent: (event) => told.numbers.push(event.data.n),
  onError: (error) => told.errors.push(error.code),
  onConnected: () => { told.connected += 1; },
  onDisconnected: () => { told.disconnected += 1; },
});
Object.assign(globalThis, { client, told });
</script>`;

interface Told {
  readonly numbers: number[];
  readonly errors: string[];
  readonly connected: number;
  readonly disconnected: number;
}

interface TabWindow {
  readonly told: Told;
  readonly client: { readonly state: string; setToken(token: string): void };
}

describeWith('chromium', 'the tabs of one origin in Chromium', (path) => {
  let sdk: string;
  let browser: TestBrowser;
  let playground: Playground;
  let front: Listening;
  let tabs: Page[];
  /** The bearer tokens of the streams, in their order, and the streams that live. */
  let streams: Inbox<string>;
  let live: Set<object>;
  let tokensAsked: number;
  let published: number;

  beforeAll(async () => {
    sdk = bundleSdk();
    browser = await launchBrowser('chromium', path);
    playground = await startPlayground();
  }, 60_000);
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await playground[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    tabs = [];
    streams = new Inbox('a stream');
    live = new Set();
    tokensAsked = 0;
    published = 0;
    front = await listen((request, response) => {
      if (request.url === '/sdk.js') {
        response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(sdk);
      } else if (request.url === '/token') {
        tokensAsked++;
        response.end(playground.token);
      } else if (request.url?.startsWith('/realtime/')) {
        const { method, url, headers } = request;
        const { port } = playground.service;
        const onward = httpRequest({ host: '127.0.0.1', port, method, path: url, headers });
        onward.on('response', (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        });
        onward.on('error', () => response.destroy());
        live.add(response);
        response.on('close', () => {
          live.delete(response);
          onward.destroy();
        });
        request.pipe(onward);
        streams.push(headers.authorization ?? '');
      } else {
        response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
      }
    });
  });
  afterEach(async () => {
    for (const tab of tabs) await tab.close();
    await front[Symbol.asyncDispose]();
  });

  async function open(crossTab = '?crossTab=shared'): Promise<Page> {
    const url = `http://127.0.0.1:${front.port}/${crossTab}`;
    const [first] = tabs;
    const tab =
      first === undefined ? await browser.open(url) : await first.browserContext().newPage();
    tabs.push(tab);
    if (first !== undefined) await tab.goto(url);
    return tab;
  }

  async function openConnected(count: number): Promise<Page[]> {
    while (tabs.length < count) await connects(await open());
    return tabs;
  }

  /** Closes the tab that was opened first, which leads. */
  async function closeFirst(): Promise<void> {
    await tabs.shift()?.close();
  }

  async function say(count: number): Promise<void> {
    await playground.publish(numbered(published + 1, published + count));
    published += count;
  }

  /** Each tab has got all that was published, once and in order, and was never told of a trouble. */
  async function expectAllWell(): Promise<void> {
    const numbers = Array.from({ length: published }, (_, index) => index + 1);
    for (const tab of tabs) {
      await tab.waitForFunction(hasNumber, { polling: 50 }, published);
      expect(await tab.evaluate(toldInPage)).toEqual({
        numbers,
        errors: [],
        connected: 1,
        disconnected: 0,
      });
    }
  }

  it('share one stream and one token, also the eighth', async () => {
    await openConnected(TABS);
    await say(3);
    await expectAllWell();
    expect(streams.items).toHaveLength(1);
    expect(live.size).toBe(1);
    expect(tokensAsked).toBe(1);
  }, 60_000);

  it('would not all get a stream of their own', async () => {
    for (let i = 0; i < 6; i++) await connects(await open(''));
    expect(live.size).toBe(6);
    const seventh = await open('');
    await seventh.waitForFunction(isConnecting, { polling: 50 });
    await say(1);
    for (const tab of tabs.slice(0, 6)) await tab.waitForFunction(hasNumber, { polling: 50 }, 1);
    // The browser holds its request back until one of the others is over.
    expect(streams.items).toHaveLength(6);
    await closeFirst();
    await connects(seventh);
  }, 60_000);

  it('go on without the one that led', async () => {
    await openConnected(4);
    await say(2);
    await expectAllWell();
    await closeFirst();
    await say(2);
    await expectAllWell();
    await closeFirst();
    await say(2);
    await expectAllWell();
    expect(live.size).toBe(1);
  }, 60_000);

  it('go on without one that leads and is frozen', async () => {
    const [first] = await openConnected(3);
    const devtools = await first?.createCDPSession();
    await devtools?.send('Page.setWebLifecycleState', { state: 'frozen' });
    tabs.shift();
    await streams.atLeast(2);
    await say(3);
    await expectAllWell();
    await first?.close();
  }, 60_000);

  it('do not wait for one that leads and hangs', async () => {
    const [first] = await openConnected(1);
    const hung = first?.evaluate(hangInPage, 6_000);
    const next = await open();
    await connects(next);
    await say(1);
    await next.waitForFunction(hasNumber, { polling: 50 }, 1);
    expect(streams.items).toHaveLength(2);
    await hung;
    await say(1);
    await expectAllWell();
    expect(live.size).toBe(1);
  }, 60_000);

  it('take the token that one of them is given', async () => {
    const [, second] = await openConnected(3);
    const token = playground.issuer.mint({ sub: 'another' });
    await say(2);
    await second?.evaluate(setTokenInPage, token);
    await streams.find((authorization) => authorization === `Bearer ${token}`);
    await say(2);
    for (const tab of tabs) await tab.waitForFunction(hasNumber, { polling: 50 }, published);
    for (const tab of tabs) {
      const { numbers, errors, disconnected } = await tab.evaluate(toldInPage);
      expect({ numbers, errors, disconnected }).toEqual({
        numbers: [1, 2, 3, 4],
        errors: [],
        disconnected: 0,
      });
    }
    expect(live.size).toBe(1);
  }, 60_000);
});

function bundleSdk(): string {
  const { outputFiles } = buildSync({
    stdin: { contents: `export * from '@sluice/sdk';`, resolveDir: import.meta.dirname },
    bundle: true,
    format: 'esm',
    write: false,
    platform: 'browser',
    tsconfigRaw: {},
  });
  return outputFiles[0]?.text ?? '';
}

async function connects(tab: Page): Promise<void> {
  await tab.waitForFunction(isConnected, { polling: 50 });
}

// These run in the page: they see nothing of this file.

function isConnected(): boolean {
  return ((globalThis as unknown as Partial<TabWindow>).told?.connected ?? 0) > 0;
}

function isConnecting(): boolean {
  return (globalThis as unknown as Partial<TabWindow>).client?.state === 'connecting';
}

function hasNumber(number: number): boolean {
  return (globalThis as unknown as TabWindow).told.numbers.includes(number);
}

function toldInPage(): Told {
  return (globalThis as unknown as TabWindow).told;
}

function setTokenInPage(token: string): void {
  (globalThis as unknown as TabWindow).client.setToken(token);
}

function hangInPage(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
