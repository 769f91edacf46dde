import { spawn } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AUTH_TOKEN_PATH,
  AUTH_VERIFY_PATH,
  eventsPath,
  JWKS_PATH,
  METADATA_PATH,
  TOKEN_PATH,
} from '@sluice/protocol';
import { createTokenIssuer } from '@sluice/server';
import jsonwebtoken from 'jsonwebtoken';
import { freePort } from '../support/free-port.js';
import { rawRequest } from '../support/raw-http.js';
import { Service } from '../support/service.js';
import { addServiceAccount, runSluice } from '../support/service-account.js';

const COMMAND = join(import.meta.dirname, '../../server/bin/sluice.js');
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const BECOMES_DEADLINE_MS = 10_000;

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service[Symbol.asyncDispose]());

/** Runs the command on the folder of a service that runs. */
const sluice = (args: readonly string[], of: Service = service): Promise<string> =>
  runSluice(args, of);

const addClient = (id: string, of: Service = service): Promise<string> => addServiceAccount(id, of);

function askForToken(id: string, secret: string, { url }: Service = service): Promise<Response> {
  return fetch(url + TOKEN_PATH, {
    method: 'POST',
    headers: { ...FORM, Authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: 'grant_type=client_credentials',
  });
}

async function tokenOf(id: string, secret: string): Promise<string> {
  const response = await askForToken(id, secret);
  expect(response.status).toBe(200);
  return ((await response.json()) as { access_token: string }).access_token;
}

/** What a publish with the token is answered with: 201 is an entry. */
async function enter(token: string, topic = 'orders', { url }: Service = service) {
  const { status, body } = await postJson(url + eventsPath('acme'), { topic, type: 't' }, token);
  return { status, code: body['code'] };
}

async function postJson(url: string, body: unknown, token?: string) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
  };
}

async function publishedKids({ url }: Service = service): Promise<readonly string[]> {
  const { keys } = (await (await fetch(url + JWKS_PATH)).json()) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
}

const kidOf = (token: string) => jsonwebtoken.decode(token, { complete: true })?.header.kid;

/** Asks again until it is so. */
async function becomes(isSo: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await isSo())) {
    if (performance.now() - startedAt > BECOMES_DEADLINE_MS)
      throw new Error('it did not become so');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('the keys of a service that runs', () => {
  it('are rotated with an overlap, and retired, without a restart', async () => {
    const secret = await addClient('rotating');
    const [firstKid] = await publishedKids();
    const first = await tokenOf('rotating', secret);
    expect(kidOf(first)).toBe(firstKid);
    expect(await enter(first)).toMatchObject({ status: 201 });

    // The next key is published before it signs.
    const rotated = JSON.parse(await sluice(['keys', 'rotate', '--signs-in', '3']));
    await becomes(async () => (await publishedKids()).includes(rotated.kid));
    if (Date.now() < Date.parse(rotated.signsFrom) - 500) {
      expect(kidOf(await tokenOf('rotating', secret))).toBe(firstKid);
    }
    let second = '';
    await becomes(async () => {
      second = await tokenOf('rotating', secret);
      return kidOf(second) === rotated.kid;
    });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(rotated.signsFrom));

    expect(await enter(first)).toMatchObject({ status: 201 });
    expect(await enter(second)).toMatchObject({ status: 201 });

    // Tokens of the first key may live, so it stays until it is told to go; then they are refused, known ones too.
    await sluice(['keys', 'retire']);
    expect(await publishedKids()).toEqual([firstKid, rotated.kid]);
    await sluice(['keys', 'retire', `--kid=${firstKid}`, '--even-if-tokens-live']);
    await becomes(async () => (await enter(first)).code === 'INVALID_TOKEN');
    expect(await publishedKids()).toEqual([rotated.kid]);
    expect(await enter(second)).toMatchObject({ status: 201 });

    await service.kill();
    await service.start();
    expect(await enter(second)).toMatchObject({ status: 201 });
    expect(await enter(first)).toMatchObject({ status: 401 });
  });

  it('stand whole when a rotation is killed in the middle', async () => {
    const folder = join(service.dataDir, 'issuer');
    const before = await publishedKids();
    const child = spawn(process.execPath, [COMMAND, 'keys', 'rotate', '--signs-in', '0'], {
      env: { PATH: process.env['PATH'] ?? '', DATA_DIR: service.dataDir },
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    // From when the lock is there, the change is under way.
    const watcher = watch(folder, (_, name) => {
      if (name === 'keys.json.lock') child.kill('SIGKILL');
    });
    await ended;
    watcher.close();

    const listed = (await sluice(['keys', 'list'])).trim().split('\n');
    const kids = listed.map((line) => (JSON.parse(line) as { kid: string }).kid);
    expect(kids).toEqual(expect.arrayContaining([...before]));
    await rm(join(folder, 'keys.json.lock'), { force: true });
    await sluice(['keys', 'rotate', '--signs-in', '0']);
    expect((await sluice(['keys', 'list'])).trim().split('\n').length).toBe(kids.length + 1);
  });
});

describe('a service account', () => {
  it('has two secrets while one takes the place of the other', async () => {
    const first = await addClient('two-secrets');
    const printed = await sluice(['clients', 'add-secret', '--id', 'two-secrets']);
    const second = /^client_secret=(.+)$/m.exec(printed)?.[1] ?? '';
    for (const secret of [first, second]) await tokenOf('two-secrets', secret);

    await sluice(['clients', 'remove-secret', '--id', 'two-secrets', '--older']);
    expect((await askForToken('two-secrets', first)).status).toBe(401);
    await tokenOf('two-secrets', second);
  });

  it('gets no further try where an address has tried too often', async () => {
    await using strict = await Service.start({ env: { MAX_FAILED_ATTEMPTS_PER_MINUTE: '3' } });
    const secret = await addClient('limited', strict);
    const token = (await (await askForToken('limited', secret, strict)).json()) as {
      access_token: string;
    };
    expect(await enter(token.access_token, 'orders', strict)).toMatchObject({ status: 201 });
    for (let attempt = 0; attempt < 3; attempt++) {
      expect((await askForToken('limited', 'wrong', strict)).status).toBe(401);
    }
    const refused = await askForToken('limited', secret, strict);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' });
    const verified = await postJson(strict.url + AUTH_VERIFY_PATH, { token: 'abc' });
    expect(verified).toMatchObject({ status: 429, body: { code: 'RATE_LIMIT_EXCEEDED' } });
    // Whoever is known already is not turned away with them.
    expect(await enter(token.access_token, 'orders', strict)).toMatchObject({ status: 201 });
  });

  it('gets its token in the plain form, and learns what it says', async () => {
    const clientSecret = await addClient('plain');
    const asked = await postJson(service.url + AUTH_TOKEN_PATH, {
      applicationId: 'plain',
      clientSecret,
      permissions: ['publish'],
    });
    expect(asked).toMatchObject({ status: 200, body: { expiresAt: expect.any(String) } });
    const token = String(asked.body['token']);
    expect(await enter(token)).toMatchObject({ status: 201 });
    const { status, body } = await postJson(service.url + AUTH_VERIFY_PATH, { token });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      claims: { sub: 'plain', permissions: ['realtime:publish'] },
      expiresAt: asked.body['expiresAt'],
    });
  });
});

describe('the issuer at the door', () => {
  it.each([TOKEN_PATH, AUTH_TOKEN_PATH, AUTH_VERIFY_PATH])(
    'takes no two Authorization headers at %s',
    async (path) => {
      const isForm = path === TOKEN_PATH;
      const { status } = await rawRequest({
        port: service.port,
        method: 'POST',
        path,
        headers: [
          ['Authorization', `Basic ${btoa('a:b')}`],
          ['Authorization', `Basic ${btoa('c:d')}`],
          ['Content-Type', isForm ? FORM['Content-Type'] : 'application/json'],
        ],
        body: isForm
          ? 'grant_type=client_credentials'
          : path === AUTH_TOKEN_PATH
            ? '{"applicationId":"a"}'
            : '{}',
      });
      expect(status).toBe(400);
    },
  );

  it('is not there for whoever comes through a proxy, also through one that is trusted', async () => {
    await using behind = await Service.start({ env: { TRUST_PROXY: 'loopback' } });
    for (const { port } of [service, behind]) {
      for (const headers of [
        [['X-Forwarded-For', '127.0.0.1']],
        [['Forwarded', 'for=x']],
      ] as const) {
        expect(await rawRequest({ port, path: JWKS_PATH, headers })).toMatchObject({ status: 404 });
      }
      expect(await rawRequest({ port, path: JWKS_PATH })).toMatchObject({ status: 200 });
    }
  });

  it('logs no secret and no token', async () => {
    const secret = await addClient('quiet');
    const token = await tokenOf('quiet', secret);
    await postJson(service.url + AUTH_TOKEN_PATH, {
      applicationId: 'quiet',
      clientSecret: 'wr0ng!',
    });
    await postJson(service.url + AUTH_VERIFY_PATH, { token: `${token}x` });
    const logged = [...service.stderr.items, ...service.stdout.items].join('\n');
    for (const text of [secret, 'wr0ng!', ...token.split('.').slice(1)]) {
      expect(logged).not.toContain(text);
    }
  });
});

describe('the metadata', () => {
  it('lead a stranger from the issuer to a token that holds', async () => {
    const { url } = service;
    const secret = await addClient('stranger');
    const metadata = (await (await fetch(url + METADATA_PATH)).json()) as Record<string, string>;
    // RFC 6749, section 2.3.1, as a library does it: form-encoded first.
    const credentials = ['stranger', secret].map(encodeURIComponent).join(':');
    const response = await fetch(metadata['token_endpoint'] ?? '', {
      method: 'POST',
      headers: { ...FORM, Authorization: `Basic ${btoa(credentials)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'realtime:publish' }),
    });
    expect(response.headers.get('cache-control')).toBe('no-store');
    const answer = (await response.json()) as Record<string, string>;
    expect(answer).toMatchObject({ token_type: 'Bearer', scope: 'realtime:publish' });

    const { keys } = (await (await fetch(metadata['jwks_uri'] ?? '')).json()) as {
      keys: { kid: string }[];
    };
    const token = answer['access_token'] ?? '';
    const key = keys.find(({ kid }) => kid === kidOf(token)) ?? {};
    const verified = jsonwebtoken.verify(token, createPublicKey({ format: 'jwk', key }), {
      algorithms: ['RS256'],
      issuer: metadata['issuer'] ?? '',
      audience: 'sluice',
    });
    expect(verified).toMatchObject({ sub: 'stranger', client_id: 'stranger' });
  });

  it('lead another node to the keys, and to those of a rotation', async () => {
    const port = await freePort();
    const issuer = `http://127.0.0.1:${port}`;
    const names = { TOKEN_ISSUER: issuer, TOKEN_AUDIENCE: 'sluice' };
    await using issuing = await Service.start({
      env: { ...names, ISSUER_ENABLED: 'true', PORT: String(port) },
    });
    await using other = await Service.start({ env: names });
    const settings = { ...names, ISSUER_ENABLED: 'true', DATA_DIR: issuing.dataDir };
    const request = { clientId: 'app', workspace: 'acme', permissions: ['publish'] };
    const { token } = await createTokenIssuer({ settings }).generateTokenResponse(request);
    await becomes(async () => (await enter(token, 'orders', other)).status === 201);
    expect(await publishedKids(issuing)).toContain(kidOf(token));
  });
});

describe('createTokenIssuer', () => {
  it('makes tokens that a service on the same folder takes, for the topics that they name', async () => {
    const issuer = createTokenIssuer({ settings: { DATA_DIR: service.dataDir } });
    const { token } = await issuer.generateTokenResponse({
      clientId: 'app',
      subject: 'alice',
      workspace: 'acme',
      permissions: { orders: ['subscribe', 'publish'], 'user.*': ['subscribe'] },
    });
    expect(await enter(token, 'orders')).toMatchObject({ status: 201 });
    expect(await enter(token, 'user.created')).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await subscribe(token, 'orders,user.created')).toBe(200);
    expect(await subscribe(token, 'invoices')).toBe(403);
  });

  it('makes tokens with the secret that it shares with a service', async () => {
    const settings = {
      JWT_SECRET: 'q7Zk2vX9sLw4Tn8bRe1Ym5Ud3Hf6Jg0A',
      TOKEN_ISSUER: 'urn:app',
      TOKEN_AUDIENCE: 'sluice',
    };
    await using shared = await Service.start({ env: settings });
    const issuer = createTokenIssuer({ settings });
    const request = { clientId: 'app', workspace: 'acme', permissions: ['publish'] };
    const { token } = await issuer.generateTokenResponse(request);
    expect(await enter(token, 'orders', shared)).toMatchObject({ status: 201 });
    expect((await fetch(shared.url + JWKS_PATH)).status).toBe(404);
  });
});

/** The status that a subscription is answered with. */
async function subscribe(token: string, topics: string): Promise<number> {
  const end = new AbortController();
  const response = await fetch(`${service.url}${eventsPath('acme')}?topics=${topics}`, {
    headers: { Authorization: `Bearer ${token}` },
    signal: end.signal,
  });
  end.abort();
  return response.status;
}
