import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Certificates, makeCertificates } from '../../test/support/certificates.js';
import { ConfigError, readConfig } from '../config.js';

type Settings = Readonly<Record<string, string>>;

const addressOf = (url: string) => readConfig({ REDIS_URL: url }).redis?.address;

function faultsOf(settings: Settings): readonly string[] {
  try {
    readConfig(settings);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

const NOBODY = { username: null, password: null, usesTls: false };

describe('the settings of Redis', () => {
  let folder: string;
  let certificates: Certificates;
  let authority: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'));
    certificates = await makeCertificates();
    authority = certificates.caFile;
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await certificates[Symbol.asyncDispose]();
  });

  it('have defaults', () => {
    expect(readConfig({ REDIS_URL: 'redis://127.0.0.1' }).redis).toEqual({
      address: { kind: 'standalone', at: { host: '127.0.0.1', port: 6_379 }, db: 0, ...NOBODY },
      prefix: 'sluice',
      ca: null,
      deadlineMs: 2_000,
      minReplicas: 0,
      isDurable: false,
      exposesPassword: false,
    });
  });

  it('name one server, with a user, a database and TLS', () => {
    expect(addressOf('rediss://app:p%40ss:w%2Fd@[::1]:6380/3')).toEqual({
      kind: 'standalone',
      at: { host: '::1', port: 6_380 },
      db: 3,
      username: 'app',
      password: 'p@ss:w/d',
      usesTls: true,
    });
    expect(addressOf('redis://:secret@localhost')).toMatchObject({
      username: null,
      password: 'secret',
    });
  });

  it('name Sentinels, and their own password', () => {
    const url = 'redis+sentinel://app:one@h1:26380,h2/my%20name/2?sentinel_password=t%26wo';
    expect(addressOf(url)).toEqual({
      kind: 'sentinel',
      sentinels: [
        { host: 'h1', port: 26_380 },
        { host: 'h2', port: 26_379 },
      ],
      name: 'my name',
      db: 2,
      sentinelUsername: null,
      sentinelPassword: 't&wo',
      username: 'app',
      password: 'one',
      usesTls: false,
    });
  });

  it('name servers of a cluster', () => {
    expect(addressOf('rediss+cluster://h1,h2:7001')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'h1', port: 6_379 },
        { host: 'h2', port: 7_001 },
      ],
      ...NOBODY,
      usesTls: true,
    });
  });

  it.each([
    'http://hunter2@h',
    'redis://',
    'redis://app:hunter2@',
    'redis://app:hunter2@h:0',
    'redis://app:hunter2@h:65536',
    'redis://app:hunter2@h1,h2',
    'redis://app:hunter2@h/x',
    'redis://app:hunter2@h/0?timeout=1',
    'redis://app:hunter2@h#x',
    'redis://app:hunter2@h@h',
    'redis://app:hunt%er2@h',
    'redis://hunter2@h',
    'redis+sentinel://app:hunter2@h',
    'redis+sentinel://app:hunter2@h/name/0/1',
    'redis+sentinel://app:hunter2@h/na%me',
    'redis+sentinel://h/name?sentinel_pasword=hunter2',
    'redis+sentinel://h/name?sentinel_password=hunter2&sentinel_password=hunter2',
    'redis+cluster://app:hunter2@h/1',
    'redis+cluster://app:hunter2@h,',
    'valkey://app:hunter2@h',
  ])('refuse %s, and repeat nothing of it', (url) => {
    const faults = faultsOf({ REDIS_URL: url });
    expect(faults).toEqual([expect.stringMatching(/^REDIS_URL must be redis:\/\/host/)]);
    expect(faults.join()).not.toMatch(/hunt/);
  });

  it('are refused without REDIS_URL, each by its name', () => {
    const others = {
      REDIS_PREFIX: 'other',
      REDIS_CA_FILE: authority,
      REDIS_DEADLINE_MS: '1000',
      REDIS_MIN_REPLICAS: '1',
      REDIS_DURABLE: 'true',
    };
    expect(faultsOf(others)).toEqual(
      Object.keys(others).map((name) => `${name} is set without REDIS_URL`),
    );
  });

  it('take certificates for TLS alone, and nothing that is none', () => {
    expect(faultsOf({ REDIS_URL: 'redis://h', REDIS_CA_FILE: authority })).toEqual([
      'REDIS_CA_FILE is set, and REDIS_URL is not for TLS (rediss)',
    ]);
    const { redis } = readConfig({ REDIS_URL: 'rediss://h', REDIS_CA_FILE: authority });
    expect(redis?.ca).toBe(readFileSync(authority, 'utf8'));
    const file = join(folder, 'no-authority.pem');
    for (const text of ['', 'PEM', readFileSync(authority, 'utf8').replace(/^M/m, 'x')]) {
      writeFileSync(file, text);
      expect(faultsOf({ REDIS_URL: 'rediss://h', REDIS_CA_FILE: file })).toEqual([
        'REDIS_CA_FILE names a file that does not hold certificates as PEM',
      ]);
    }
  });

  it('keep the prefix out of the way of hash tags', () => {
    expect(faultsOf({ REDIS_URL: 'redis://h', REDIS_PREFIX: 'a{b}' })).toHaveLength(1);
  });

  it.each([
    ['redis://app:secret@10.0.0.1', true],
    ['redis+cluster://app:secret@127.0.0.1,h2', true],
    ['rediss://app:secret@10.0.0.1', false],
    ['redis://app:secret@127.0.0.1', false],
    ['redis://10.0.0.1', false],
  ])('know whether a password passes a network in the clear: %s', (url, expected) => {
    expect(readConfig({ REDIS_URL: url }).redis?.exposesPassword).toBe(expected);
  });
});
