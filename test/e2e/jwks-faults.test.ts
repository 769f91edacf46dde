import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Problem } from '@sluice/protocol';
import { EVENTS, expectRefusal, inHeader } from '../support/bad-input-table.js';
import { type JwksAnswer, type JwksServer, startJwksServer } from '../support/jwks-server.js';
import { RawStream, rawRequest } from '../support/raw-http.js';
import { Service } from '../support/service.js';
import { createSigningKey, createTestIssuer, type TestIssuer } from '../support/tokens.js';

// What the service does while the keys of an issuer cannot be had, and while somebody makes it look for keys.

const SETTINGS = { MAX_FAILED_ATTEMPTS_PER_MINUTE: 'none' };
const COOL_DOWN_MS = 10_000;
const DEADLINE_MS = 5_000;
/** Some of these wait for deadlines of the service. */
const TEST_TIMEOUT_MS = 60_000;

let issuer: TestIssuer;
let jwks: JwksServer;
const open: AsyncDisposable[] = [];

beforeEach(async () => {
  issuer = await createTestIssuer();
  jwks = await startJwksServer(issuer.jwks);
});
afterEach(async () => {
  for (const part of open.splice(0)) await part[Symbol.asyncDispose]();
  await jwks[Symbol.asyncDispose]();
});

const startService = () => Service.start({ env: { ...SETTINGS, ...issuer.settings(jwks.url) } });
const requestOf = ({ port }: Service, token: string) => ({
  port,
  path: EVENTS,
  ...inHeader(token),
});

/** The code of the refusal, or `entered`. */
async function outcomeOf({ port }: Service, token: string): Promise<string> {
  const path = `${EVENTS}?errors=stream`;
  using stream = await RawStream.open({ port, path, ...inHeader(token) });
  const { event, data } = await stream.next();
  return event === 'stream.error' ? (data as Problem).code : 'entered';
}

async function expectEntry(service: Service, token: string): Promise<void> {
  using stream = await RawStream.open(requestOf(service, token));
  expect((await stream.head).status).toBe(200);
  expect(await stream.next()).toMatchObject({ event: 'stream.connected' });
}

async function strangersToken(kid: string): Promise<string> {
  return issuer.mint({}, { key: { ...(await createSigningKey()), kid } });
}

/** Asks with tokens of unknown keys, as many as that, each with a key id of its own. */
async function flood(service: Service, count: number): Promise<readonly string[]> {
  const key = await createSigningKey();
  const ask = async (kid: string) => {
    const token = issuer.mint({}, { key: { ...key, kid } });
    const { body } = await rawRequest(requestOf(service, token));
    return (JSON.parse(body) as Problem).code;
  };
  const codes: string[] = [];
  for (let asked = 0; asked < count; asked += 100) {
    const turn = Array.from({ length: 100 }, (_, n) => ask(`unknown-${asked + n}`));
    codes.push(...(await Promise.all(turn)));
  }
  return codes;
}

/** One at the start, and one for each cool-down that has begun: two where the machine is not very slow. */
function mostFetches(startedAt: number): number {
  return 1 + Math.ceil((performance.now() - startedAt) / COOL_DOWN_MS);
}

describe('45. an endpoint that is down', () => {
  it('lets nobody in while no key is known', async () => {
    jwks.answer = 'down';
    await using service = await startService();
    await expectRefusal(requestOf(service, issuer.mint()), 'AUTH_ERROR');
    using stream = await RawStream.open({
      port: service.port,
      path: `${EVENTS}?errors=stream&access_token=${issuer.mint()}`,
    });
    expect(await stream.next()).toMatchObject({ data: { code: 'AUTH_ERROR' } });
    // The client may come back: this is not the end.
    expect(stream.received.items).not.toContainEqual({ kind: 'retry', ms: 2_147_483_647 });
  });

  it('lets those in whose key is known', async () => {
    await using service = await startService();
    await expectEntry(service, issuer.mint());
    jwks.answer = 'down';
    await expectEntry(service, issuer.mint());
    await expectRefusal(requestOf(service, await strangersToken('unknown')), 'AUTH_ERROR');
  });
});

describe('46. an endpoint that answers wrongly', () => {
  const FAULTS: readonly JwksAnswer[] = [
    'down',
    'silent',
    'stall',
    'reset',
    'trickle',
    'huge',
    'bomb',
    'redirect',
    'error',
    'html',
    'not-a-set',
    'duplicate-kid',
    'empty',
  ];

  it(
    'makes AUTH_ERROR within the deadline, whatever its fault, and costs no memory',
    async () => {
      const faulty = await Promise.all(
        FAULTS.map(async (fault) => {
          const one = await createTestIssuer({ issuer: `https://${fault}.test` });
          const server = await startJwksServer(one.jwks);
          open.push(server);
          server.answer = fault;
          return { fault, one, server };
        }),
      );
      const trusted = [
        ...faulty.map(({ one, server }) => ({ one, server })),
        { one: issuer, server: jwks },
      ];
      await using service = await Service.start({
        env: {
          ...SETTINGS,
          TOKEN_ISSUERS: JSON.stringify(
            trusted.map(({ one: { issuer, audience }, server: { url } }) => ({
              issuer,
              audience,
              jwksUri: url,
            })),
          ),
        },
      });
      const startedAt = performance.now();
      await Promise.all([
        ...faulty.map(({ one }) => expectRefusal(requestOf(service, one.mint()), 'AUTH_ERROR')),
        // One issuer's fault is not another's.
        expectEntry(service, issuer.mint()),
      ]);
      expect(performance.now() - startedAt).toBeLessThan(DEADLINE_MS + 8_000);

      for (const { server, fault } of faulty) {
        expect(server.calls.items).toHaveLength(1);
        if (['silent', 'stall', 'trickle', 'huge'].includes(fault))
          await server.abandoned.atLeast(1);
      }
      await using sound = await startService();
      await expectEntry(sound, issuer.mint());
      const extraBytes = (await peakBytes(service.pid)) - (await peakBytes(sound.pid));
      expect(extraBytes).toBeLessThan(100 * 1024 * 1024);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('47. a flood of unknown keys', () => {
  it(
    'keeps no good token out, and costs two fetches at most',
    async () => {
      const startedAt = performance.now();
      await using service = await startService();
      const [codes] = await Promise.all([
        flood(service, 1_000),
        expectEntry(service, issuer.mint()),
      ]);
      await expectEntry(service, issuer.mint());
      expect(codes).toHaveLength(1_000);
      expect(codes.filter((code) => code !== 'AUTH_ERROR' && code !== 'INVALID_TOKEN')).toEqual([]);
      expect(jwks.calls.items.length).toBeLessThanOrEqual(mostFetches(startedAt));
    },
    TEST_TIMEOUT_MS,
  );

  it(
    '48. keeps a key that was rotated in out for the cool-down alone, and never for good',
    async () => {
      const startedAt = performance.now();
      await using service = await startService();
      await expectEntry(service, issuer.mint());
      issuer.keys.unshift(await createSigningKey());
      const rotatedAt = performance.now();
      const token = issuer.mint();
      const outcomes: string[] = [];
      while (outcomes.at(-1) !== 'entered' && performance.now() - rotatedAt < 2 * COOL_DOWN_MS) {
        await flood(service, 100);
        outcomes.push(await outcomeOf(service, token));
      }
      expect(outcomes.at(-1)).toBe('entered');
      expect(outcomes.slice(0, -1).filter((code) => code !== 'AUTH_ERROR')).toEqual([]);
      expect(jwks.calls.items.length).toBeLessThanOrEqual(mostFetches(startedAt));
    },
    TEST_TIMEOUT_MS,
  );
});

describe('50. a cold start', () => {
  it('reads the keys once for 100 who come at once', async () => {
    jwks.answer = 'held';
    await using service = await startService();
    const opened = Array.from({ length: 100 }, () => {
      const stream = new RawStream(requestOf(service, issuer.mint()));
      open.push({ [Symbol.asyncDispose]: async () => stream[Symbol.dispose]() });
      return stream;
    });
    // Another request that was answered: the 100 before it have been taken in.
    await rawRequest({ port: service.port, path: EVENTS });
    jwks.release();
    const heads = await Promise.all(opened.map(({ head }) => head));
    expect(heads.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
    expect(jwks.calls.items).toHaveLength(1);
  });
});

/** The most memory that a process had at any time. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
