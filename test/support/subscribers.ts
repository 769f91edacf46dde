import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventsPath, PARAMETERS, type RealtimeEvent, type StreamConnected } from '@sluice/protocol';
import { RealtimeClient } from '@sluice/sdk';
import { EventSource } from 'eventsource';
import { createParser } from 'eventsource-parser';
import { launchBrowser } from './browsers.js';
import { Inbox } from './inbox.js';
import { WORKSPACE } from './playground.js';

export interface Address {
  /** Of the service, or of what stands before it. */
  readonly url: string;
  readonly token: string;
}

/** Somebody who subscribes to the workspace's events, and comes back by its own means when the connection breaks. */
export interface TestSubscriber extends AsyncDisposable {
  readonly connections: Inbox<StreamConnected>;
  readonly events: Inbox<RealtimeEvent>;
  /** Whatever went wrong and is not just a broken connection. */
  readonly faults: readonly string[];
}

class Records {
  readonly connections = new Inbox<StreamConnected>('stream.connected');
  readonly events = new Inbox<RealtimeEvent>('an event');
  readonly faults: string[] = [];

  /** Takes an SSE event as it came. */
  take(name: string, data: string): void {
    const value: unknown = JSON.parse(data);
    if (name === 'message') this.events.push(value as RealtimeEvent);
    else if (name === 'stream.connected') this.connections.push(value as StreamConnected);
    else this.faults.push(`${name} ${data}`);
  }

  close(): void {
    this.connections.close('the subscriber was disposed of');
    this.events.close('the subscriber was disposed of');
  }
}

const CONTROL_EVENTS = ['stream.connected', 'stream.gap', 'stream.error'] as const;

/** The client of this project. */
export async function subscribeWithSdk({ url, token }: Address): Promise<TestSubscriber> {
  const records = new Records();
  const client = new RealtimeClient({
    endpoint: url,
    workspace: WORKSPACE,
    token,
    backoff: { baseMs: 10, ceilMs: 100 },
  });
  client.subscribe({
    onEvent: (event) => records.events.push(event),
    onConnected: (connected) => records.connections.push(connected),
    onGap: (gap) => records.faults.push(`stream.gap ${JSON.stringify(gap)}`),
    onError: (error) => {
      if (!error.willRetry) records.faults.push(JSON.stringify(error));
    },
  });
  return subscriber(records, async () => client.close());
}

/** The `eventsource` package: the browser's interface, for Node. */
export async function subscribeWithEventSourcePackage(address: Address): Promise<TestSubscriber> {
  const records = new Records();
  const source = new EventSource(urlWithToken(address));
  for (const name of ['message', ...CONTROL_EVENTS]) {
    source.addEventListener(name, (event) => records.take(name, String(event.data)));
  }
  source.addEventListener('error', ({ message }) => {
    if (source.readyState === source.CLOSED) records.faults.push(`closed: ${message}`);
  });
  return subscriber(records, async () => source.close());
}

/** `curl -N`, started anew with `Last-Event-ID` as a shell script would. */
export async function subscribeWithCurl(
  path: string,
  { url, token }: Address,
): Promise<TestSubscriber> {
  const records = new Records();
  const runs = new AbortController();
  let lastEventId: string | undefined;

  const run = () => {
    const parser = createParser({
      onEvent: ({ id, event = 'message', data }) => {
        if (id !== undefined) lastEventId = id;
        records.take(event, data);
      },
    });
    const decoder = new TextDecoder();
    const resume = lastEventId === undefined ? [] : ['-H', `Last-Event-ID: ${lastEventId}`];
    const args = ['-q', '-sS', '-N', '--noproxy', '*', '-H', `Authorization: Bearer ${token}`];
    const child = spawn(path, [...args, ...resume, url + eventsPath(WORKSPACE)], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal: runs.signal,
    });
    child.stdout.on('data', (bytes: Buffer) =>
      parser.feed(decoder.decode(bytes, { stream: true })),
    );
    return new Promise<void>((resolve) => {
      child.on('error', () => {}).once('close', () => resolve());
    });
  };
  const loop = (async () => {
    while (!runs.signal.aborted) await run();
  })();
  return subscriber(records, async () => {
    runs.abort();
    await loop;
  });
}

/** A page whose native EventSource may reach the service, if the service allows the page's origin. */
export interface EventSourcePage extends AsyncDisposable {
  readonly origin: string;
  subscribe(address: Address): Promise<TestSubscriber>;
}

/** The EventSource of a real browser, in a page of another origin. */
export async function openEventSourcePage(path: string): Promise<EventSourcePage> {
  const server = createServer((_, response) => {
    response
      .writeHead(200, { 'Content-Type': 'text/html' })
      .end('<!doctype html><title>page</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await launchBrowser('chromium', path);
  return {
    origin,
    subscribe: async (address) => {
      const records = new Records();
      const page = await browser.open(origin);
      await page.exposeFunction('take', (name: string, data: string) => records.take(name, data));
      await page.exposeFunction('fail', (fault: string) => records.faults.push(fault));
      await page.evaluate(listenInPage, {
        url: urlWithToken(address),
        names: ['message', ...CONTROL_EVENTS],
      });
      return subscriber(records, () => page.close());
    },
    async [Symbol.asyncDispose]() {
      await browser[Symbol.asyncDispose]();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface PageWindow {
  readonly take: (name: string, data: string) => void;
  readonly fail: (fault: string) => void;
}

/** Runs in the page: it sees nothing of this file. */
function listenInPage({ url, names }: { url: string; names: readonly string[] }): void {
  const { take, fail } = globalThis as unknown as PageWindow;
  const source = new globalThis.EventSource(url);
  for (const name of names) {
    source.addEventListener(name, (event) => take(name, (event as MessageEvent<string>).data));
  }
  source.onerror = () => {
    if (source.readyState === source.CLOSED) fail('closed');
  };
}

function urlWithToken({ url, token }: Address): string {
  return `${url}${eventsPath(WORKSPACE)}?${PARAMETERS.accessToken}=${encodeURIComponent(token)}`;
}

function subscriber(records: Records, dispose: () => Promise<void>): TestSubscriber {
  return {
    connections: records.connections,
    events: records.events,
    faults: records.faults,
    async [Symbol.asyncDispose]() {
      await dispose();
      records.close();
    },
  };
}
