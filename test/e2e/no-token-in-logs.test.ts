import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type JwksServer, startJwksServer } from '../support/jwks-server.js';
import { type MarkedRequest, markedRequests } from '../support/proxies/marked-requests.js';
import {
  findLeaks,
  type Leak,
  MARKED_CLAIM,
  markedJwt,
  markedOpaque,
} from '../support/proxies/marks.js';
import { sendMarked } from '../support/proxies/send-marked.js';
import { rawRequest } from '../support/raw-http.js';
import { RedisServer } from '../support/redis-server.js';
import { Service } from '../support/service.js';
import { createTestIssuer, inSeconds, type TestIssuer } from '../support/tokens.js';

// The service by itself: whatever is sent to it, at every log level and with what makes libraries talk, no token gets into
// what it writes. Of a proxy in front, see test/e2e/proxies.

const AT_ONCE = 24;
const STREAM_TOKENS = '/realtime/workspace/acme/stream-tokens';
const EVENTS = '/realtime/workspace/acme/events';
const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';
/** What makes Express, its router, ioredis and others tell what they do. */
const TALKATIVE = { DEBUG: '*', DEBUG_DEPTH: '9', DEBUG_SHOW_HIDDEN: 'true' };

let issuer: TestIssuer;
let jwks: JwksServer;

beforeAll(async () => {
  issuer = await createTestIssuer();
  jwks = await startJwksServer(issuer.jwks);
});
afterAll(async () => {
  await jwks[Symbol.asyncDispose]();
});

/** In the clear, as the service takes them. One is left out: what was published may hold anything, and is kept. */
function requestsTo(token: string): MarkedRequest[] {
  const requests = markedRequests(token).filter(({ what }) => what !== 'a large body');
  return requests.map((request) => ({ ...request, way: 'plain' }));
}

/** Sends all kinds of marked requests, and gets and uses a stream token; resolves to what must not be found. */
async function provoke({ port }: Service): Promise<string[]> {
  const token = issuer.mint(MARKED_CLAIM);
  const expired = issuer.mint({ ...MARKED_CLAIM, iat: inSeconds(-7_200), exp: inSeconds(-3_600) });
  const foreign = issuer.mint({ ...MARKED_CLAIM, workspace: 'other' });
  const rest = requestsTo(token);
  const worker = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      await sendMarked(next, { tlsPort: port, plainPort: port }, '');
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  for (const bad of [expired, foreign]) {
    const { status } = await rawRequest({ port, path: `${EVENTS}?access_token=${bad}` });
    expect([401, 403]).toContain(status);
  }
  const headers = [['Authorization', `Bearer ${token}`]] as const;
  const given = await rawRequest({ port, method: 'POST', path: STREAM_TOKENS, headers });
  const { streamToken } = JSON.parse(given.body) as { streamToken: string };
  // Used up, and once more.
  for (let n = 0; n < 2; n++) {
    const path = `${EVENTS}?errors=stream&stream_token=${streamToken}&last_event_id=${markedJwt()}`;
    await rawRequest({ port, path });
  }
  await sendBodies(port);
  const secrets = [token, expired, foreign, streamToken];
  return [...secrets, ...[token, expired, foreign].map((one) => one.split('.')[2] ?? '')];
}

/** Tokens and secrets in bodies, for the routes of the embedded issuer. */
async function sendBodies(port: number): Promise<void> {
  const bodies: (readonly [path: string, type: string, body: string])[] = [
    ['/oauth/token', FORM, `client_secret=${markedOpaque()}&client_id=${markedOpaque()}`],
    ['/oauth/token', FORM, `grant_type=client_credentials&client_secret=${markedOpaque()}`],
    ['/auth/token', JSON_TYPE, `{"applicationId":"a","clientSecret":"${markedOpaque()}"}`],
    ['/auth/token', JSON_TYPE, `{"applicationId":"a","clientSecret":"${markedOpaque()}`],
    ['/auth/verify', JSON_TYPE, `{"token":"${markedJwt()}"}`],
    ['/auth/verify', JSON_TYPE, `{"token":${markedJwt()}}`],
  ];
  for (const [path, type, body] of bodies) {
    const headers = [['Content-Type', type]] as const;
    const { status } = await rawRequest({ port, method: 'POST', path, headers, body });
    // 200: what a token says, and that it does not hold. 404: no embedded issuer.
    expect([200, 400, 401, 404]).toContain(status);
  }
}

/** All that the service has written: its two outputs, its folder, and what it answers to operators. */
async function outputsOf(service: Service): Promise<Map<string, Buffer>> {
  const outputs = new Map<string, Buffer>();
  for (const path of ['/metrics', '/healthz', '/readyz']) {
    const response = await fetch(service.opsUrl + path);
    outputs.set(path, Buffer.from(await response.arrayBuffer()));
  }
  await service.stop();
  outputs.set('stdout', Buffer.from(service.stdout.items.join('\n')));
  outputs.set('stderr', Buffer.from(service.stderr.items.join('\n')));
  await addFiles(outputs, service.dataDir);
  return outputs;
}

async function addFiles(outputs: Map<string, Buffer>, folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    outputs.set(relative(folder, path), await readFile(path));
  }
}

interface Tried {
  readonly leaks: readonly Leak[];
  readonly outputs: ReadonlyMap<string, Buffer>;
  /** What must be nowhere at all. */
  readonly secrets: readonly string[];
}

/** Runs the service with these settings, sends it everything, and looks through what it has written. */
async function tryWith(env: Readonly<Record<string, string>>): Promise<Tried> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-no-token-'));
  const settings = { ...issuer.settings(jwks.url), OPS_PORT: '0' };
  try {
    await using service = await Service.start({
      dataDir,
      env: { ...settings, ...TALKATIVE, AUDIT_LOG: join(dataDir, 'audit.log'), ...env },
    });
    const secrets = await provoke(service);
    const outputs = await outputsOf(service);
    return { leaks: findLeaks(outputs, secrets), outputs, secrets };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

const textOf = ({ outputs }: Tried, name: string) => String(outputs.get(name) ?? '');

describe('what the service writes', () => {
  it.each(['trace', 'debug', 'info', 'warn', 'error', 'silent'])(
    'holds no token at LOG_LEVEL=%s with DEBUG=*',
    async (level) => {
      const tried = await tryWith({ LOG_LEVEL: level });
      expect(tried.leaks).toEqual([]);
      // It was looked for where something stands.
      const lines = textOf(tried, 'stderr').split('\n').length;
      if (level === 'silent') expect(lines).toBe(1);
      if (['trace', 'debug', 'info'].includes(level)) expect(lines).toBeGreaterThan(60);
      expect(textOf(tried, 'audit.log')).toContain('acme');
      expect(textOf(tried, '/metrics')).toContain('sluice_streams');
      expect([...tried.outputs.keys()].filter((name) => name.includes('.mdb'))).not.toEqual([]);
    },
    60_000,
  );

  it('holds none where Redis keeps everything, and Redis neither', async () => {
    await using redis = await RedisServer.start();
    const { leaks, outputs, secrets } = await tryWith({
      LOG_LEVEL: 'trace',
      REDIS_URL: redis.url,
      ISSUER_ENABLED: 'true',
      AUDIT_LOG: 'stderr',
    });
    expect(leaks).toEqual([]);
    expect(String(outputs.get('stderr'))).toContain('acme');
    const kept = new Map<string, Buffer>();
    await addFiles(kept, redis.folder);
    // Of a stream token Redis has the claims, and so the mark in them, but neither it nor the token that it was given for.
    const claim = JSON.stringify(MARKED_CLAIM).slice(1, -1);
    const bare = [...kept].map(
      ([name, bytes]) =>
        [name, Buffer.from(bytes.toString('latin1').replaceAll(claim, ''), 'latin1')] as const,
    );
    expect(findLeaks(new Map(bare), secrets)).toEqual([]);
    expect(bare.join()).toContain('acme');
  }, 60_000);

  it.each<[what: string, env: Record<string, string>]>([
    ['secrets that cannot stand', { JWT_SECRET: markedOpaque().slice(0, 20) }],
    ['secrets that conflict', { AUTHZEN_TOKEN: markedJwt(), ISSUER_KEY_SECRET: markedJwt() }],
    [
      'secrets in addresses',
      { JWKS_URI: `ftp://a:${markedOpaque()}@x`, AUTHZEN_URL: `x://:${markedOpaque()}@` },
    ],
    ['a password of Redis', { REDIS_URL: `redis://a:${markedOpaque()}@127.0.0.1:70000` }],
    ['secrets in place of numbers', { PORT: markedJwt(), MAX_STREAMS: markedOpaque() }],
    ['a Node.js that tells of bytes', { NODE_DEBUG: 'stream' }],
  ])('holds none when it does not start: %s', async (_, env) => {
    const refusal = await Service.start({ env: { ...TALKATIVE, ...env } }).then(
      async (service) => {
        await service[Symbol.asyncDispose]();
        return new Error('it started');
      },
      (error: Error) => error,
    );
    expect(refusal.message).toMatch(/the service ended before it listened \(1\)/);
    const name = Object.keys(env)[0] ?? '';
    expect(refusal.message).toContain(name);
    expect(findLeaks(new Map([['the refusal', Buffer.from(refusal.message)]]))).toEqual([]);
  });
});
