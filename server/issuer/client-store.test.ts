import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hashSecret, matchesSecret, UNMATCHABLE_HASH } from './client-secret.js';
import { type ClientStore, type NewClient, openClientStore } from './client-store.js';

const BACKEND: NewClient = {
  id: 'backend',
  workspaces: ['acme'],
  permissions: ['realtime:publish'],
};

/** Of no secret, but well-formed. */
const HASH = UNMATCHABLE_HASH;

function clientsText(hashes: readonly string[]): string {
  const createdAt = '2026-01-01T00:00:00.000Z';
  const secrets = hashes.map((hash, index) => ({ id: `s${index}`, createdAt, hash }));
  return JSON.stringify({ version: 2, clients: [{ ...BACKEND, createdAt, secrets }] });
}

let dataDir: string;
let clientsFile: string;
let clients: ClientStore;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-clients-'));
  clientsFile = join(dataDir, 'issuer', 'clients.json');
  clients = await openClientStore({ dataDir });
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe('a client store', () => {
  it('knows a client by its secret', async () => {
    const { secret } = await clients.addClient(BACKEND);
    expect(secret).toMatch(/^scs_[A-Za-z0-9_-]{43}$/);
    const client = await clients.authenticate('backend', secret);
    const createdAt = expect.any(String);
    const secrets = [{ id: expect.stringMatching(/^[0-9a-f]{8}$/), createdAt }];
    expect(client).toEqual({ ...BACKEND, createdAt, secrets });
    expect(await clients.authenticate('backend', `${secret}x`)).toBeNull();
    expect(await clients.authenticate('frontend', secret)).toBeNull();
    expect(await clients.authenticate('__proto__', secret)).toBeNull();
  });

  it('takes as long over an unknown client as over a wrong secret', async () => {
    await clients.addClient(BACKEND);
    const times: Record<string, number[]> = { backend: [], frontend: [] };
    for (let round = 0; round < 7; round++) {
      for (const [id, taken] of Object.entries(times)) {
        const startedAt = performance.now();
        expect(await clients.authenticate(id, 'wrong')).toBeNull();
        taken.push(performance.now() - startedAt);
      }
    }
    const [known = 0, unknown = 0] = Object.values(times).map(
      (taken) => taken.sort((one, other) => one - other)[3],
    );
    // Without the work that is done for nothing it would be a hundredth.
    expect(unknown).toBeGreaterThan(known / 4);
  });

  it('keeps the secret nowhere, and the file for its owner alone', async () => {
    const { secret } = await clients.addClient(BACKEND);
    expect(await readFile(clientsFile, 'utf8')).not.toContain(secret);
    expect((await stat(clientsFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(dataDir, 'issuer'))).toEqual(['clients.json']);
    expect(JSON.stringify(await clients.listClients())).not.toContain('scrypt');
  });

  it('sees what another process adds and removes', async () => {
    const other = await openClientStore({ dataDir });
    expect(await clients.listClients()).toEqual([]);
    const { secret } = await other.addClient(BACKEND);
    expect(await clients.authenticate('backend', secret)).toMatchObject({ id: 'backend' });
    expect(await other.removeClient('backend')).toBe(true);
    expect(await clients.authenticate('backend', secret)).toBeNull();
    expect(await clients.removeClient('backend')).toBe(false);
  });

  it('writes nothing to remove a client that is not there', async () => {
    expect(await clients.removeClient('backend')).toBe(false);
    expect(await readdir(join(dataDir, 'issuer'))).toEqual([]);
  });

  it('loses no change of several that are made at once', async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `client-${index}`);
    const stores = await Promise.all(ids.map(() => openClientStore({ dataDir })));
    await Promise.all(
      stores.map((store, index) => store.addClient({ ...BACKEND, id: ids[index] as string })),
    );
    const listed = await clients.listClients();
    expect(listed.map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  it('names the lock that an interrupted change left', async () => {
    await writeFile(`${clientsFile}.lock`, '');
    const impatient = await openClientStore({ dataDir, lockPatienceMs: 0 });
    await expect(impatient.addClient(BACKEND)).rejects.toThrow(`${clientsFile}.lock exists`);
  });

  it.each<[string, Partial<NewClient>]>([
    ['an id that HTTP Basic would break', { id: 'back:end' }],
    ['no id', { id: '' }],
    ['no workspace', { workspaces: [] }],
    ['an unknown permission', { permissions: ['admin'] }],
  ])('refuses a client with %s', async (_, fault) => {
    await expect(clients.addClient({ ...BACKEND, ...fault })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    expect(await clients.listClients()).toEqual([]);
  });

  it('refuses a second client of the same id, and keeps the first', async () => {
    const { secret } = await clients.addClient(BACKEND);
    await expect(clients.addClient(BACKEND)).rejects.toThrow('exists already');
    expect(await clients.authenticate('backend', secret)).not.toBeNull();
    expect(await readdir(join(dataDir, 'issuer'))).toEqual(['clients.json']);
  });

  it('reads what an older release wrote', async () => {
    const createdAt = '2026-01-01T00:00:00.000Z';
    const old = { ...BACKEND, createdAt, secretHash: await hashSecret('the-secret') };
    await writeFile(clientsFile, JSON.stringify({ version: 1, clients: [old] }), { mode: 0o600 });
    expect(await clients.authenticate('backend', 'the-secret')).toEqual({
      ...BACKEND,
      createdAt,
      secrets: [{ id: 'first', createdAt }],
    });
    const { secret } = await clients.addSecret('backend');
    expect(await clients.authenticate('backend', 'the-secret')).not.toBeNull();
    expect(await clients.authenticate('backend', secret)).not.toBeNull();
  });

  it('refuses one client too many', async () => {
    await clients.addClient(BACKEND);
    const file = JSON.parse(await readFile(clientsFile, 'utf8'));
    const full = Array.from({ length: 1_000 }, (_, n) => ({ ...file.clients[0], id: `c${n}` }));
    await writeFile(clientsFile, JSON.stringify({ version: 2, clients: full }));
    await expect(clients.addClient(BACKEND)).rejects.toThrow('there are 1000 clients already');
  });

  it.each([
    ['text that is not JSON', '{"version":1,'],
    ['null', 'null'],
    ['another version', '{"version":3,"clients":[]}'],
    ['a client without a hash', '{"version":1,"clients":[{"id":"a"}]}'],
    ['a client without secrets', clientsText([])],
    ['a client with three secrets', clientsText([HASH, HASH, HASH])],
    ['secrets that do not share their work', clientsText([HASH, HASH.replace('$A', '$B')])],
  ])('refuses a file with %s, and leaves it as it is', async (_, text) => {
    await writeFile(clientsFile, text, { mode: 0o600 });
    await expect(clients.authenticate('backend', 'secret')).rejects.toThrow('is damaged');
    await expect(clients.addClient(BACKEND)).rejects.toThrow('is damaged');
    expect(await readFile(clientsFile, 'utf8')).toBe(text);
  });

  it('refuses a file that others may read', async () => {
    await clients.addClient(BACKEND);
    await chmod(clientsFile, 0o644);
    await expect(clients.listClients()).rejects.toThrow('chmod 600');
  });

  it('checks a few at once and refuses the rest', async () => {
    const { secret } = await clients.addClient(BACKEND);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => clients.authenticate('backend', secret)),
    );
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(2);
    for (const outcome of refused) {
      expect(outcome).toMatchObject({
        reason: { code: 'RATE_LIMIT_EXCEEDED', retryAfterMs: 1_000 },
      });
    }
    expect(await clients.authenticate('backend', secret)).not.toBeNull();
  });
});

describe('a second secret', () => {
  it('is as good as the first, until one of them is removed', async () => {
    const { secret: first } = await clients.addClient(BACKEND);
    const { id, secret: second } = await clients.addSecret('backend');
    expect(second).not.toBe(first);
    for (const secret of [first, second]) {
      expect(await clients.authenticate('backend', secret)).toMatchObject({ id: 'backend' });
    }
    const [listed] = await clients.listClients();
    expect(listed?.secrets.map((secret) => secret.id)).toContain(id);
    expect(await readFile(clientsFile, 'utf8')).not.toContain(second);

    await clients.removeSecret('backend', 'older');
    expect(await clients.authenticate('backend', first)).toBeNull();
    expect(await clients.authenticate('backend', second)).not.toBeNull();
  });

  it('can be removed by its id', async () => {
    const { secret: first } = await clients.addClient(BACKEND);
    const { id, secret: second } = await clients.addSecret('backend');
    expect(await clients.removeSecret('backend', { id })).toMatchObject({ id });
    expect(await clients.authenticate('backend', first)).not.toBeNull();
    expect(await clients.authenticate('backend', second)).toBeNull();
  });

  it('costs no derivation of its own', async () => {
    await clients.addClient(BACKEND);
    await clients.addSecret('backend');
    const [client] = JSON.parse(await readFile(clientsFile, 'utf8')).clients;
    const [one, other] = client.secrets.map(({ hash }: { hash: string }) => hash.split('$'));
    expect(one.slice(0, 4)).toEqual(other.slice(0, 4));
    expect(one[4]).not.toBe(other[4]);
  });

  it('has no third beside it', async () => {
    await clients.addClient(BACKEND);
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => clients.addSecret('backend')));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(clients.addSecret('backend')).rejects.toThrow('two secrets already');
    const [client] = await clients.listClients();
    expect(client?.secrets).toHaveLength(2);
  });

  it('can be removed, but not the only one', async () => {
    const { secret } = await clients.addClient(BACKEND);
    await expect(clients.removeSecret('backend', 'older')).rejects.toThrow('the only secret');
    expect(await clients.authenticate('backend', secret)).not.toBeNull();
  });

  it('is of a client that is there, and removed by an id that is', async () => {
    await clients.addClient(BACKEND);
    await expect(clients.addSecret('frontend')).rejects.toThrow('no such client');
    await expect(clients.removeSecret('frontend', 'older')).rejects.toThrow('no such client');
    await expect(clients.removeSecret('backend', { id: 'x' })).rejects.toThrow('no such secret');
  });
});

describe('a secret hash', () => {
  it('differs for the same secret, and matches it each time', async () => {
    const [one, other] = await Promise.all([hashSecret('secret'), hashSecret('secret')]);
    expect(one).not.toBe(other);
    expect(await matchesSecret('secret', [one])).toBe(true);
    expect(await matchesSecret('Secret', [one])).toBe(false);
  });

  it('has a form of the same cost that nothing matches', async () => {
    const cost = (hash: string) => hash.split('$').slice(0, 3);
    expect(cost(UNMATCHABLE_HASH)).toEqual(cost(await hashSecret('secret')));
    expect(await matchesSecret('', [UNMATCHABLE_HASH])).toBe(false);
  });
});
