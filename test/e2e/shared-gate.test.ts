import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventsPath, revocationsPath, streamTokensPath } from '@sluice/protocol';
import { type CutProxy, startCutProxy } from '../support/cut-proxy.js';
import { type JwksServer, startJwksServer } from '../support/jwks-server.js';
import { publish, WORKSPACE } from '../support/playground.js';
import { RawStream, rawRequest } from '../support/raw-http.js';
import { RedisServer } from '../support/redis-server.js';
import { Service } from '../support/service.js';
import { createTestIssuer, inSeconds, type TestIssuer } from '../support/tokens.js';
import { describeWith } from '../support/tools.js';

// What two nodes on one Redis know of each other's revocations and stream tokens.

/** How long what was revoked may still be open, on every node. */
const REVOKED_WITHIN_MS = 1_000;
/** As long after Redis is back: nodes look for it at least so often. */
const BACK_WITHIN_MS = 4_000;
const ORDER = { topic: 'orders', type: 'order.created', data: { n: 1 } };

describeWith('redis-server', 'the gates of two nodes', () => {
  let parts: AsyncDisposable[];
  let issuer: TestIssuer;
  let redis: RedisServer;
  let here: Service;
  let there: Service;
  /** Between Redis and the node that is there. */
  let line: CutProxy;

  async function kept<Part extends AsyncDisposable>(starting: Promise<Part>): Promise<Part> {
    const part = await starting;
    parts.push(part);
    return part;
  }

  beforeEach(async () => {
    parts = [];
    issuer = await createTestIssuer();
    const jwks: JwksServer = await kept(startJwksServer(issuer.jwks));
    redis = await kept(RedisServer.start());
    line = await kept(startCutProxy(redis.port));
    const start = (url: string) =>
      kept(Service.start({ env: { ...issuer.settings(jwks.url), REDIS_URL: url } }));
    [here, there] = await Promise.all([start(redis.url), start(`redis://127.0.0.1:${line.port}`)]);
  });
  afterEach(async () => {
    for (const part of parts.reverse()) await part[Symbol.asyncDispose]();
  });

  const bearer = (token: string): [string, string] => ['Authorization', `Bearer ${token}`];
  /** Issued a while ago, so that a revocation of now is about it. */
  const oldToken = () => issuer.mint({ iat: inSeconds(-60) });

  async function open({ port }: Service, token: string): Promise<RawStream> {
    const path = eventsPath(WORKSPACE);
    const stream = await RawStream.open({ port, path, headers: [bearer(token)] });
    await stream.next('stream.connected');
    return stream;
  }

  async function revokeAlice({ url }: Service): Promise<number> {
    const token = issuer.mint({ sub: 'root', permissions: ['realtime:admin'] });
    const { status } = await fetch(url + revocationsPath(WORKSPACE), {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ sub: 'alice' }),
    });
    return status;
  }

  async function expectRevoked(stream: RawStream, withinMs: number): Promise<void> {
    expect(await stream.next('stream.error', withinMs)).toMatchObject({
      data: { code: 'INVALID_TOKEN' },
    });
    expect(await stream.ended).toBe('end');
  }

  it('end what was revoked through the other within a second, and let it in no more', async () => {
    const token = oldToken();
    using stream = await open(there, token);
    expect(await revokeAlice(here)).toBe(201);
    await expectRevoked(stream, REVOKED_WITHIN_MS);
    const again = await rawRequest({
      port: there.port,
      path: eventsPath(WORKSPACE),
      headers: [bearer(token)],
    });
    expect(again.status).toBe(401);
  });

  it('end what was revoked while they were cut off, before they bring anything that came after', async () => {
    using stream = await open(there, oldToken());
    using bystander = await open(there, issuer.mint({ sub: 'bob' }));
    line.refuse();
    line.cutAll();
    expect(await revokeAlice(here)).toBe(201);
    await publish(here.url, issuer.mint({ sub: 'press' }), [ORDER]);
    line.accept();
    await bystander.next('message', BACK_WITHIN_MS);
    await expectRevoked(stream, REVOKED_WITHIN_MS);
    const brought = stream.received.items.filter(
      (item) => item.kind === 'event' && item.event === 'message',
    );
    expect(brought).toEqual([]);
  });

  it('do so after Redis was killed and came back', async () => {
    using stream = await open(there, oldToken());
    await redis.kill();
    expect(await revokeAlice(here)).toBe(503);
    await redis.start();
    const revoking = async (): Promise<number> => {
      const status = await revokeAlice(here);
      return status === 503 ? revoking() : status;
    };
    expect(await revoking()).toBe(201);
    await expectRevoked(stream, BACK_WITHIN_MS);
  });

  it('remember what was revoked over a restart of both', async () => {
    const token = oldToken();
    expect(await revokeAlice(here)).toBe(201);
    await Promise.all([here.kill(), there.kill()]);
    await Promise.all([here.start(), there.start()]);
    for (const { port } of [here, there]) {
      const { status, body } = await rawRequest({
        port,
        path: eventsPath(WORKSPACE),
        headers: [bearer(token)],
      });
      expect([status, JSON.parse(body).code]).toEqual([401, 'INVALID_TOKEN']);
    }
  });

  it('open one stream for a stream token of either, of fifty that ask both at once', async () => {
    const { status, body } = await rawRequest({
      port: here.port,
      method: 'POST',
      path: streamTokensPath(WORKSPACE),
      headers: [bearer(issuer.mint())],
    });
    expect(status).toBe(201);
    const { streamToken } = JSON.parse(body) as { streamToken: string };
    const path = `${eventsPath(WORKSPACE)}?stream_token=${streamToken}`;
    const streams = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        RawStream.open({ port: (n % 2 === 0 ? there : here).port, path }),
      ),
    );
    const statuses = await Promise.all(streams.map(async ({ head }) => (await head).status));
    for (const stream of streams) stream[Symbol.dispose]();
    expect(statuses.toSorted()).toEqual([200, ...Array<number>(49).fill(401)]);
  });
});
