import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventsPath, JWKS_PATH } from '@sluice/protocol';
import { createTokenIssuer } from '@sluice/server';
import jsonwebtoken from 'jsonwebtoken';
import { readConfig } from '../../server/config.js';
import { openClientStore } from '../../server/issuer/client-store.js';
import { openIssuer } from '../../server/issuer/issuer.js';
import { RedisServer } from '../support/redis-server.js';
import { Service } from '../support/service.js';
import { tokenOfAccount } from '../support/service-account.js';
import { describeWith } from '../support/tools.js';
import { until } from '../support/until.js';

// Two nodes on one Redis have one embedded issuer: its keys, and the service accounts.

const COMMAND = join(import.meta.dirname, '../../server/bin/sluice.js');
const ISSUER_KEY_SECRET = 'Nc1uWeqLSi7L6bKyC0f3Y3l0ZbY0wq2G';
const ABOUT = ['--workspace', 'acme', '--permissions', 'realtime:publish'];
/** Within a second every node knows of a change; the rest is for slow machines. */
const KNOWN_WITHIN_MS = 2_000;

describeWith('redis-server', 'the embedded issuer of two nodes', () => {
  const parts: AsyncDisposable[] = [];
  let redis: RedisServer;
  let nodes: readonly Service[];
  let shared: Record<string, string>;
  /** Of whoever is no node. */
  let dataDir: string;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'sluice-shared-issuer-'));
    redis = await RedisServer.start();
    parts.push(redis);
    shared = { REDIS_URL: redis.url, ISSUER_KEY_SECRET };
    nodes = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    for (const part of parts.splice(0).reverse()) await part[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  });

  async function start(options: { env?: Record<string, string>; dataDir?: string } = {}) {
    const service = await Service.start({ env: shared, ...options });
    parts.push(service);
    return service;
  }

  async function sluice(...args: string[]): Promise<string> {
    const env = { PATH: process.env['PATH'] ?? '', DATA_DIR: dataDir, ...shared };
    const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, ...args], { env });
    return stdout;
  }

  /** Makes a service account; resolves to its secret. */
  async function addClient(id: string): Promise<string> {
    const printed = await sluice('clients', 'add', '--id', id, ...ABOUT);
    return /^client_secret=(.+)$/m.exec(printed)?.[1] ?? '';
  }

  /** The status that a publish with the token is answered with: 201 is an entry. */
  async function enter({ url }: Service, token: string): Promise<number> {
    const { status } = await fetch(url + eventsPath('acme'), {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ topic: 'orders', type: 'order.created' }),
    });
    return status;
  }

  const kidOf = (token: string) => jsonwebtoken.decode(token, { complete: true })?.header.kid;

  async function kidsAt({ url }: Service): Promise<string[]> {
    const { keys } = (await (await fetch(url + JWKS_PATH)).json()) as { keys: { kid: string }[] };
    return keys.map(({ kid }) => kid);
  }

  it('has one set of keys, one list of service accounts, and tokens that are good at both', async () => {
    const secret = await addClient('app');
    const made = await sluice('token', ...ABOUT, '--subject', 'alice');
    const outside = createTokenIssuer({ settings: { DATA_DIR: dataDir, ...shared } });
    const request = { clientId: 'web', workspace: 'acme', permissions: ['publish'] };
    const tokens = [made.trim(), (await outside.generateTokenResponse(request)).token];
    await outside.close();
    for (const node of nodes) tokens.push((await tokenOfAccount('app', secret, node)).token);
    for (const node of nodes) {
      for (const token of tokens) expect(await enter(node, token)).toBe(201);
      expect(await kidsAt(node)).toEqual([kidOf(tokens[0] ?? '')]);
    }
    expect(await sluice('clients', 'list')).toContain('"id":"app"');
  });

  it('signs with a new key at both within a second of its rotation by a command', async () => {
    const [here, there] = nodes as [Service, Service];
    const secret = await addClient('rotating');
    const before = (await tokenOfAccount('rotating', secret, here)).token;
    const { kid } = JSON.parse(await sluice('keys', 'rotate', '--signs-in', '0')) as {
      kid: string;
    };
    const after = await Promise.all(
      nodes.map((node) =>
        until(
          'the new key signs',
          async () => {
            const { token } = await tokenOfAccount('rotating', secret, node);
            return kidOf(token) === kid ? token : null;
          },
          KNOWN_WITHIN_MS,
        ),
      ),
    );
    for (const token of [before, ...after]) {
      for (const node of nodes) expect(await enter(node, token)).toBe(201);
    }
    expect(await kidsAt(here)).toEqual(await kidsAt(there));
    expect(await kidsAt(here)).toEqual([kidOf(before), kid]);
  });

  it('takes over what a node had in its data folder when it was alone', async () => {
    const clients = await openClientStore({ dataDir });
    const permissions = ['realtime:publish'];
    const { secret } = await clients.addClient({ id: 'app', workspaces: ['acme'], permissions });
    const { issuer, tokens } = readConfig({});
    if (issuer === null) throw new Error('no issuer');
    const { workspaceClaim } = tokens;
    const alone = await openIssuer({ dataDir, ...issuer, workspaceClaim });
    const about = { subject: 'alice', workspaces: ['acme'], permissions, lifetimeSeconds: 900 };
    const { token } = alone.issueToken(about);
    // Nothing is there yet under this prefix.
    const node = await start({ env: { ...shared, REDIS_PREFIX: 'grown' }, dataDir });
    expect(await enter(node, token)).toBe(201);
    const { token: next } = await tokenOfAccount('app', secret, node);
    expect(kidOf(next)).toBe(kidOf(token));
  });

  it('does not start with another secret, and says so without a secret', async () => {
    const other = { ...shared, ISSUER_KEY_SECRET: `${ISSUER_KEY_SECRET}x` };
    await expect(Service.start({ env: other })).rejects.toThrow(
      /was encrypted with another ISSUER_KEY_SECRET, or changed/,
    );
    await expect(Service.start({ env: { REDIS_URL: redis.url } })).rejects.toThrow(
      /is encrypted: ISSUER_KEY_SECRET must be set/,
    );
  });
});
