import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import jsonwebtoken from 'jsonwebtoken';
import { startCutProxy } from './cut-proxy.js';
import { Inbox } from './inbox.js';
import { startJwksServer } from './jwks-server.js';
import { RawStream, rawRequest } from './raw-http.js';
import { createSigningKey, createTestIssuer, forge, inSeconds } from './tokens.js';

async function serve(listener: RequestListener): Promise<AsyncDisposable & { port: number }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

describe('an inbox', () => {
  it('gives what came and waits for what is to come', async () => {
    const inbox = new Inbox<number>('a number');
    inbox.push(1);
    inbox.push(2);
    expect(await inbox.next((item) => item > 1)).toBe(2);
    expect(await inbox.find((item) => item > 0)).toBe(1);
    const waiting = inbox.next();
    inbox.push(3);
    expect(await waiting).toBe(3);
    expect(await inbox.atLeast(3)).toEqual([1, 2, 3]);
  });

  it('says what did not come', async () => {
    const inbox = new Inbox<number>('a number');
    inbox.push(1);
    await expect(inbox.find((item) => item > 1, 20)).rejects.toThrow(
      'waited 20 ms for a number; 1 came, the last: 1',
    );
    const waiting = expect(inbox.atLeast(2)).rejects.toThrow('no more of a number: over');
    inbox.close('over');
    await waiting;
  });
});

describe('a raw request', () => {
  it('sends what a client library would not', async () => {
    await using server = await serve((request, response) => {
      response.setHeader('X-Twice', ['a', 'b']);
      response.end(JSON.stringify({ url: request.url, headers: request.rawHeaders }));
    });
    const response = await rawRequest({
      port: server.port,
      path: '/a/../%00/b',
      headers: [
        ['Authorization', 'Bearer a'],
        ['authorization', 'Bearer b'],
      ],
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-twice')).toEqual(['a', 'b']);
    expect(JSON.parse(response.body)).toEqual({
      url: '/a/../%00/b',
      headers: [
        ...['Host', `127.0.0.1:${server.port}`],
        ...['Authorization', 'Bearer a', 'authorization', 'Bearer b'],
      ],
    });
  });

  it('reads chunked and counted bodies, and bounds both', async () => {
    await using server = await serve((request, response) => {
      if (request.url === '/chunked') response.write('one,');
      response.end(request.url === '/large' ? 'x'.repeat(5_000) : 'two');
    });
    const { port } = server;
    expect((await rawRequest({ port, path: '/chunked' })).body).toBe('one,two');
    expect((await rawRequest({ port, path: '/counted' })).body).toBe('two');
    await expect(rawRequest({ port, path: '/large' }, { maxBytes: 1_000 })).rejects.toThrow('1000');
  });
});

describe('a raw stream', () => {
  it('reads frames as they come and tells how it ended', async () => {
    await using server = await serve((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('retry: 5\nid: A-1\nevent: stream.connected\ndata: {}\n\n: ping\n\n');
      response.end('id: A-2\ndata: {"n":1}\n\n');
    });
    using stream = await RawStream.open({ port: server.port, path: '/' });
    expect((await stream.head).headers.get('content-type')).toEqual(['text/event-stream']);
    expect(await stream.next('stream.connected')).toMatchObject({ id: 'A-1', data: {} });
    expect(await stream.nextComment()).toBe('ping');
    expect(await stream.next()).toEqual({ event: 'message', id: 'A-2', data: { n: 1 } });
    expect(await stream.ended).toBe('end');
  });
});

describe('the cutting proxy', () => {
  const streaming: RequestListener = (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: 1\n\n');
  };

  it.each(['rst', 'fin'] as const)(
    'cuts connections by %s and lets new ones through',
    async (how) => {
      await using server = await serve(streaming);
      await using proxy = await startCutProxy(server.port);
      for (const number of [1, 2]) {
        using stream = await RawStream.open({ port: proxy.port, path: '/' });
        await stream.next();
        expect(proxy.openConnections).toHaveLength(1);
        proxy.cutAll(how);
        expect(await stream.ended).toBe('cut');
        expect((await proxy.connections.atLeast(number)).at(-1)?.isOpen).toBe(false);
      }
      expect(proxy.cuts.items).toHaveLength(2);
      expect(proxy.openConnections).toEqual([]);
    },
  );

  it('cuts after a number of bytes', async () => {
    await using server = await serve((_, response) => response.end('x'.repeat(100_000)));
    await using proxy = await startCutProxy(server.port);
    proxy.cutAt = (connection) => (connection === 1 ? { bytes: 70_001, how: 'fin' } : null);
    await expect(rawRequest({ port: proxy.port, path: '/' })).rejects.toThrow('ended');
    expect((await proxy.cuts.next()).bytesToClient).toBe(70_001);
    expect((await rawRequest({ port: proxy.port, path: '/' })).body).toHaveLength(100_000);
  });

  it('stalls and resumes', async () => {
    await using server = await serve((_, response) => response.end('done'));
    await using proxy = await startCutProxy(server.port);
    proxy.stall();
    const answer = rawRequest({ port: proxy.port, path: '/' });
    await proxy.connections.atLeast(1);
    proxy.resume();
    expect((await answer).body).toBe('done');
  });

  it('delays what it passes on, both ways', async () => {
    await using server = await serve((_, response) => response.end('done'));
    await using proxy = await startCutProxy(server.port);
    proxy.shape({ delayMs: 60 });
    const start = performance.now();
    expect((await rawRequest({ port: proxy.port, path: '/' })).body).toBe('done');
    expect(performance.now() - start).toBeGreaterThanOrEqual(119);
  });

  it('lets no more bytes pass in a second than it is told', async () => {
    await using server = await serve((_, response) => response.end('x'.repeat(100_000)));
    await using proxy = await startCutProxy(server.port);
    proxy.shape({ bytesPerSecond: 400_000 });
    const start = performance.now();
    expect((await rawRequest({ port: proxy.port, path: '/' })).body).toHaveLength(100_000);
    expect(performance.now() - start).toBeGreaterThanOrEqual(240);
  });

  it('leaves connections half-open, and lets later ones through again', async () => {
    await using server = await serve(streaming);
    await using proxy = await startCutProxy(server.port);
    using stream = await RawStream.open({ port: proxy.port, path: '/' });
    await stream.next();
    let hasEnded = false;
    void stream.ended.then(() => {
      hasEnded = true;
    });
    proxy.halfOpen();
    await server[Symbol.asyncDispose]();
    expect(proxy.openConnections).toHaveLength(1);
    await using again = await serve(streaming);
    await using live = await startCutProxy(again.port);
    live.halfOpen();
    live.resume();
    using other = await RawStream.open({ port: live.port, path: '/' });
    await other.next();
    expect(hasEnded).toBe(false);
  });

  it('refuses connections, and passes on that nobody is behind it', async () => {
    await using server = await serve((_, response) => response.end('done'));
    await using proxy = await startCutProxy(server.port);
    proxy.refuse();
    await expect(rawRequest({ port: proxy.port, path: '/' })).rejects.toThrow();
    proxy.accept();
    expect((await rawRequest({ port: proxy.port, path: '/' })).body).toBe('done');
    await server[Symbol.asyncDispose]();
    await expect(rawRequest({ port: proxy.port, path: '/' })).rejects.toThrow();
  });
});

describe('the test issuer', () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384'] as const)('mints %s tokens', async (algorithm) => {
    const issuer = await createTestIssuer({ algorithm });
    const [key] = issuer.keys;
    const token = issuer.mint({ sub: 'bob', permissions: undefined });
    const options = { issuer: issuer.issuer, audience: issuer.audience };
    const payload = jsonwebtoken.verify(token, key?.publicKey ?? '', options);
    expect(payload).toMatchObject({ sub: 'bob', workspace: 'acme', aud: 'sluice-test' });
    expect(payload).not.toHaveProperty('permissions');
    expect(issuer.jwks().keys).toEqual([
      expect.objectContaining({ kid: key?.kid, alg: algorithm }),
    ]);
  });

  it.each(['RS256', 'PS256', 'ES256', 'ES384'] as const)('forges %s tokens', async (algorithm) => {
    const key = await createSigningKey(algorithm);
    const token = forge({ alg: algorithm }, { exp: inSeconds(60) }, key);
    expect(jsonwebtoken.verify(token, key.publicKey)).toEqual({ exp: expect.any(Number) });
    expect(forge('x', Buffer.from('y'), 'z')).toBe('Ingi.eQ.z');
  });
});

describe('the key server', () => {
  it('counts its calls and answers as it is told', async () => {
    const issuer = await createTestIssuer();
    await using server = await startJwksServer(issuer.jwks);
    expect(await (await fetch(server.url)).json()).toEqual(issuer.jwks());
    server.answer = 'html';
    expect(await (await fetch(server.url)).text()).toContain('<!doctype');
    server.answer = 'down';
    await expect(fetch(server.url)).rejects.toThrow();
    server.answer = 'stall';
    const stalled = new AbortController();
    const response = await fetch(server.url, { signal: stalled.signal });
    expect(response.status).toBe(200);
    const body = response.text();
    stalled.abort();
    await expect(body).rejects.toThrow();
    await server.abandoned.find((answer) => answer === 'stall');
    server.answer = 'redirect';
    expect((await fetch(server.url, { redirect: 'manual' })).status).toBe(302);
    expect(server.calls.items).toEqual(['keys', 'html', 'down', 'stall', 'redirect']);
  });
});
