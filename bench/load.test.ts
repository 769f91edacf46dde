import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventJson, httpRequest } from './event.js';
import { Load } from './load.js';
import { compileNativePrograms } from './native.js';

let folder: string;
let program: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-load-'));
  program = (await compileNativePrograms(folder)).load;
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** How often a server sends an event to its streams: once, if it does what it should. */
async function publishTo(copies: (event: number) => number) {
  const streams: ServerResponse[] = [];
  let count = 0;
  await using server = await serve(async (request, response) => {
    if (request.method === 'GET') {
      streams.push(response);
      response.writeHead(200).flushHeaders();
      return;
    }
    const body = await new Response(request as never).text();
    count++;
    for (const stream of streams) {
      for (let copy = 0; copy < copies(count); copy++) cutInTwo(stream, `data: ${body}\n\n`);
    }
    response.writeHead(201).end();
  });
  await using load = new Load(program, folder, [server.port], 0);
  await load.setStreams([httpRequest('GET /')]);
  await load.setPublishes([httpRequest('POST /', {}, eventJson())]);
  await load.open(3);
  return await load.publishOutstanding(2, { deliveries: 3, seconds: 0.2 });
}

/** A mark that comes in two pieces is one mark. To the socket: in chunks, there would be something between the two. */
function cutInTwo(stream: ServerResponse, text: string): void {
  const middle = text.indexOf('~') + 9;
  stream.socket?.write(text.slice(0, middle));
  setImmediate(() => stream.socket?.write(text.slice(middle)));
}

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('the load client', () => {
  test('counts what is delivered', async () => {
    const { events, deliveries, p50Ms } = await publishTo(() => 1);
    expect(events).toBeGreaterThan(2);
    // Those that are under way when the time is over do not count.
    expect(deliveries).toBeGreaterThan(3 * (events - 3));
    expect(deliveries).toBeLessThanOrEqual(3 * events);
    expect(p50Ms).toBeGreaterThan(0);
  });

  test('notices an event that comes twice', async () => {
    await expect(publishTo((event) => (event === 2 ? 2 : 1))).rejects.toThrow(
      /[1-9]\d* came twice/,
    );
  });

  test('notices a stream that is refused, and says by what', async () => {
    await using server = await serve((_request, response) => response.writeHead(403).end());
    await using load = new Load(program, folder, [server.port], 0);
    await load.setStreams([httpRequest('GET /')]);
    await expect(load.open(2)).rejects.toThrow(/2 refused.*HTTP\/1.1 403 Forbidden/);
  });

  test('notices a publish that is refused', async () => {
    await using server = await serve((_request, response) => response.writeHead(503).end());
    await using load = new Load(program, folder, [server.port], 0);
    await load.setPublishes([httpRequest('POST /', {}, eventJson())]);
    await expect(load.publishCount(2)).rejects.toThrow(/2 failed: HTTP\/1.1 503/);
  });

  test('waits until each stream has replayed as much as it should', async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(200);
      response.write(`data: ${eventJson()}\n\n`.repeat(4));
      setImmediate(() => response.write(`data: ${eventJson()}\n\n`));
    });
    await using load = new Load(program, folder, [server.port], 0);
    await load.setStreams([httpRequest('GET /')]);
    const { deliveries } = await load.replay(3, 5);
    expect(deliveries).toBe(15);
  });
});
