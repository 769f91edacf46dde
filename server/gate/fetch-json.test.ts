import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { type JwksAnswer, startJwksServer } from '../../test/support/jwks-server.js';
import { fetchJson } from './fetch-json.js';

const MAX_BYTES = 10_000;

interface EchoServer extends AsyncDisposable {
  readonly url: string;
}

/** Answers with what it was asked; at `/back`, with the very bytes it was sent. */
async function startEchoServer(): Promise<EchoServer> {
  const server = createServer(async (request: IncomingMessage, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const { url, method, headers } = request;
    const body = Buffer.concat(chunks);
    const answer = JSON.stringify({ method, headers, body: body.toString() });
    response.end(url === '/back' ? body : answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('asking for JSON', () => {
  it('sends what it is given, and gives what is answered', async () => {
    await using server = await startEchoServer();
    const answer = await fetchJson(server.url, {
      maxBytes: MAX_BYTES,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'r1' },
      body: '{"a":1}',
    });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        method: 'POST',
        headers: { accept: 'application/json', 'x-request-id': 'r1' },
        body: '{"a":1}',
      },
    });
  });

  it('reads no document but that of an answer 200', async () => {
    await using server = await startJwksServer(() => ({ keys: [] }));
    server.answer = 'error';
    expect(await fetchJson(server.url, { maxBytes: MAX_BYTES })).toEqual({
      status: 500,
      body: undefined,
    });
  });

  it('follows no redirect', async () => {
    await using server = await startJwksServer(() => ({ keys: [] }));
    server.answer = 'redirect';
    const { status, body } = await fetchJson(server.url, { maxBytes: MAX_BYTES });
    expect(status).toBe(302);
    expect(body).toBeUndefined();
    expect(server.calls.items).toHaveLength(1);
  });

  it.each<[JwksAnswer, RegExp]>([
    ['down', /socket hang up|ECONNRESET/],
    ['reset', /aborted/],
    ['html', /JSON/],
  ])('fails where the answer is "%s"', async (answer, words) => {
    await using server = await startJwksServer(() => ({ keys: [] }));
    server.answer = answer;
    await expect(fetchJson(server.url, { maxBytes: MAX_BYTES })).rejects.toThrow(words);
    expect(server.calls.items).toHaveLength(1);
  });

  it.each([
    ['a name twice', '{"decision":false,"decision":true}', /twice/],
    ['33 levels', `${'['.repeat(33)}${']'.repeat(33)}`, /deeper/],
    ['bytes that are not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), /UTF-8/],
    ['nothing', '', /JSON/],
  ] as const)('fails where the document has %s', async (_, body, words) => {
    await using server = await startEchoServer();
    const asked = fetchJson(`${server.url}back`, { maxBytes: MAX_BYTES, method: 'POST', body });
    await expect(asked).rejects.toThrow(words);
  });

  it.each<JwksAnswer>(['silent', 'stall', 'trickle'])(
    'gives up on a server that is "%s" at its deadline',
    async (answer) => {
      await using server = await startJwksServer(() => ({ keys: [] }));
      server.answer = answer;
      const startedAt = performance.now();
      const asked = fetchJson(server.url, { maxBytes: MAX_BYTES, deadlineMs: 200 });
      await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(performance.now() - startedAt).toBeLessThan(10_000);
      await server.abandoned.find((left) => left === answer);
    },
  );

  it('gives up at its deadline also where garbage was collected meanwhile', async () => {
    await using server = await startJwksServer(() => ({ keys: [] }));
    server.answer = 'stall';
    const asked = fetchJson(server.url, { maxBytes: MAX_BYTES, deadlineMs: 500 });
    await server.calls.atLeast(1);
    // Once the head has come, nobody but the deadline itself may be what keeps the deadline.
    await new Promise(setImmediate);
    collectGarbage();
    await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
    await server.abandoned.find((left) => left === 'stall');
  });

  it('fails at once where the answer is of another protocol', async () => {
    const server = createServer();
    server.on('connection', (socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    try {
      await expect(fetchJson(url, { maxBytes: MAX_BYTES })).rejects.toThrow('another protocol');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('asks again where a connection that was kept alive is closed as it is used', async () => {
    let asked = 0;
    const server = createServer((incoming, response) => {
      asked++;
      // The second request comes over the first one's connection, which goes without an answer.
      if (asked === 2) incoming.socket.resetAndDestroy();
      else response.end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    try {
      for (let n = 0; n < 2; n++) {
        expect((await fetchJson(url, { maxBytes: MAX_BYTES })).body).toEqual({});
        // The connection goes back to those that wait in a turn of its own.
        await new Promise(setImmediate);
      }
      expect(asked).toBe(3);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('gives up when it is told to', async () => {
    await using server = await startJwksServer(() => ({ keys: [] }));
    server.answer = 'stall';
    const abort = new AbortController();
    const asked = fetchJson(server.url, { maxBytes: MAX_BYTES, signal: abort.signal });
    await server.calls.atLeast(1);
    abort.abort(new Error('no longer needed'));
    await expect(asked).rejects.toThrow('no longer needed');
    await server.abandoned.find((left) => left === 'stall');
    const late = fetchJson(server.url, { maxBytes: MAX_BYTES, signal: abort.signal });
    await expect(late).rejects.toThrow('no longer needed');
    expect(server.calls.items).toHaveLength(1);
  });

  it.each<JwksAnswer>(['huge', 'bomb'])(
    'leaves an answer that is "%s" where it becomes too large',
    async (answer) => {
      await using server = await startJwksServer(() => ({ keys: [] }));
      server.answer = answer;
      await expect(fetchJson(server.url, { maxBytes: MAX_BYTES })).rejects.toThrow('too large');
    },
  );

  it('takes an answer of exactly the size that it may have', async () => {
    const document = { keys: [{ text: 'x'.repeat(100) }] };
    const bytes = JSON.stringify(document).length;
    await using server = await startJwksServer(() => document);
    expect((await fetchJson(server.url, { maxBytes: bytes })).body).toEqual(document);
    await expect(fetchJson(server.url, { maxBytes: bytes - 1 })).rejects.toThrow('too large');
  });
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc === 'function') gc();
}
