import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { describePrivateDocuments } from '../../test/contracts/private-documents.contract.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { describeWith } from '../../test/support/tools.js';
import { until } from '../../test/support/until.js';
import { readConfig } from '../config.js';
import { openRedis } from '../redis/open-redis.js';
import type { Redis } from '../redis/redis.js';
import { RedisPrivateDocuments } from './redis-private-documents.js';

const SECRET = 'Nc1uWeqLSi7L6bKyC0f3Y3l0ZbY0wq2G';
const KEYS = 'sluice:issuer:{all}:keys';
const CLIENTS = 'sluice:issuer:{all}:clients';

describeWith('redis-server', "an issuer's documents in Redis", () => {
  let server: RedisServer;
  let redis: Redis;
  const opened: RedisPrivateDocuments[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    const { redis: settings } = readConfig({ REDIS_URL: server.url });
    if (settings === null) throw new Error('no Redis');
    redis = await openRedis({ settings, onFailure: () => {} });
  });
  afterAll(async () => {
    await redis?.close();
    await server?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await redis.call('FLUSHALL');
  });
  afterEach(() => {
    for (const documents of opened.splice(0)) documents.close();
  });

  function open(secret: string | null = SECRET): RedisPrivateDocuments {
    const documents = new RedisPrivateDocuments({ redis, secret });
    opened.push(documents);
    return documents;
  }

  function openWatching(secret?: string | null): RedisPrivateDocuments {
    const documents = open(secret);
    documents.watch();
    return documents;
  }

  const storedText = async (key = KEYS): Promise<string> =>
    String(await redis.call('HGET', key, 'text'));

  for (const secret of [SECRET, null]) {
    const how = secret === null ? 'open' : 'sealed';
    describePrivateDocuments(`Redis (${how})`, () => ({
      open: async () => openWatching(secret),
      dispose: async () => {},
    }));
  }

  describe('with a secret', () => {
    it('are written so that nobody without it can read them', async () => {
      await open().keys.create('a private key');
      expect(await storedText()).toMatch(/^sealed-1:[A-Za-z0-9+/]+=*$/);
      expect(Buffer.from((await storedText()).slice(9), 'base64').toString()).not.toContain('key');
      await expect(open(null).keys.read()).rejects.toThrow(
        `${KEYS} in Redis is encrypted: ISSUER_KEY_SECRET must be set`,
      );
      await expect(open(`${SECRET}x`).keys.read()).rejects.toThrow(
        `${KEYS} in Redis was encrypted with another ISSUER_KEY_SECRET, or changed`,
      );
    });

    it('are never written the same way twice', async () => {
      const { keys } = open();
      await keys.create('a');
      const first = await storedText();
      await keys.change(() => 'a');
      expect(await storedText()).not.toBe(first);
    });

    it.each<[string, (sealed: string) => string]>([
      ['nothing', () => ''],
      ['what is not encrypted', () => '{"version":2,"keys":[]}'],
      ['a mark alone', () => 'sealed-1:'],
      ['one that was cut short', (sealed) => sealed.slice(0, -8)],
      ['one with a letter changed', (sealed) => sealed.replace(/.{8}$/, 'AAAAAAAA')],
      ['one with a short tag', (sealed) => sealed.slice(0, 9 + 32)],
    ])('are not taken from %s that somebody put in their place', async (_, forge) => {
      const { keys } = open();
      await keys.create('a private key');
      await redis.call('HSET', KEYS, 'text', forge(await storedText()));
      await expect(keys.read()).rejects.toThrow(/ISSUER_KEY_SECRET/);
      await expect(keys.change((text) => text ?? '')).rejects.toThrow(/ISSUER_KEY_SECRET/);
    });

    it('are not taken from the place of another one', async () => {
      const documents = open();
      await documents.clients.create('[]');
      const [version, text] = ['version', 'text'].map((field) =>
        redis.call('HGET', CLIENTS, field),
      );
      await redis.call('HSET', KEYS, 'version', String(await version), 'text', String(await text));
      await expect(documents.keys.read()).rejects.toThrow(/or changed$/);
    });
  });

  it('that cannot be opened are told of when they are looked at, and recover', async () => {
    const { keys } = openWatching();
    await keys.create('a');
    await keys.read();
    const good = await storedText();
    await redis.call('HSET', KEYS, 'version', 'x', 'text', 'junk');
    await until('the change', () => keys.versionNow() === 'x');
    expect(() => keys.readNow()).toThrow(/is not encrypted/);
    await redis.call('HSET', KEYS, 'version', 'y', 'text', good);
    await until('the recovery', () => keys.versionNow() === 'y');
    expect(keys.readNow()).toEqual({ text: 'a', version: 'y' });
  });

  it('come back into a Redis that was emptied, from a node that knows them', async () => {
    const { keys, clients } = openWatching();
    await keys.create('a');
    await clients.create('b');
    await Promise.all([keys.read(), clients.read()]);
    await redis.call('FLUSHALL');
    const other = open();
    await until('the documents', () => other.exist());
    await until('the keys', async () => (await other.keys.read())?.text === 'a');
    await until('the clients', async () => (await other.clients.read())?.text === 'b');
  });

  it('can be changed where Redis is full', async () => {
    await redis.call('CONFIG', 'SET', 'maxmemory', '1');
    try {
      const { keys } = open();
      await keys.create('a');
      await keys.change((text) => `${text}b`);
      expect((await keys.read())?.text).toBe('ab');
    } finally {
      await redis.call('CONFIG', 'SET', 'maxmemory', '0');
    }
  });

  it('stay as they were while Redis is away', async () => {
    const { keys } = openWatching();
    await keys.create('a');
    const before = await keys.read();
    await server.kill();
    await expect(keys.version()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(keys.readNow()).toEqual(before);
    await server.start();
    expect(await keys.read()).toEqual(before);
  });
});
