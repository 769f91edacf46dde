import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Config, inspectConfig } from '../config.js';

const SECRET = 'Hq3u0mT9vX2pL7cR5wZ8bN4kJ6fD1sYa';
const ISSUER = { TOKEN_ISSUER: 'my-app', TOKEN_AUDIENCE: 'sluice' };

/** Each secret, with what it needs beside it, and where it goes to. */
const SECRETS: readonly (readonly [
  name: string,
  text: string,
  beside: Record<string, string>,
  of: (config: Config) => unknown,
])[] = [
  ['JWT_SECRET', SECRET, ISSUER, ({ tokens }) => tokens.trustedIssuers[0]?.keys],
  ['ISSUER_KEY_SECRET', SECRET, { REDIS_URL: 'redis://127.0.0.1' }, ({ issuer }) => issuer],
  ['AUTHZEN_TOKEN', 'abc', { AUTHZEN_URL: 'https://iam.example' }, (config) => config.permissions],
  ['REDIS_URL', 'redis://app:s3cr3t@10.0.0.1/2', { REDIS_DURABLE: 'true' }, ({ redis }) => redis],
];

describe('a secret in a file', () => {
  let folder: string;
  let files = 0;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function fileOf(contents: string | Uint8Array, mode = 0o600): string {
    const path = join(folder, `${files++}`);
    writeFileSync(path, contents);
    chmodSync(path, mode);
    return path;
  }
  const read = (path: string) => inspectConfig({ ...ISSUER, JWT_SECRET_FILE: path });

  it.each(SECRETS)('counts as %s does', (name, text, beside, of) => {
    const inEnvironment = inspectConfig({ ...beside, [name]: text });
    const inFile = inspectConfig({ ...beside, [`${name}_FILE`]: fileOf(`${text}\n`) });
    expect(inFile.faults).toEqual([]);
    expect(of(inFile.config as Config)).toEqual(of(inEnvironment.config as Config));
    expect(JSON.stringify(of(inFile.config as Config))).toMatch(/s3cr3t|abc|Hq3u0/);
  });

  it.each(SECRETS)('and %s at once are refused, each by its name', (name, text, beside) => {
    const settings = { ...beside, [name]: text, [`${name}_FILE`]: fileOf(text) };
    expect(inspectConfig(settings).faults).toEqual([
      `${name} is set beside ${name}_FILE: take one of them`,
    ]);
  });

  it('is where it comes from, and is not shown', () => {
    const { settings } = read(fileOf(SECRET));
    expect(settings.find(({ name }) => name === 'JWT_SECRET')).toEqual({
      name: 'JWT_SECRET',
      source: 'file',
      isValid: true,
      value: null,
    });
    expect(JSON.stringify(settings)).not.toContain(SECRET);
  });

  it('is read through links, as Kubernetes makes them', () => {
    const link = join(folder, 'link');
    symlinkSync(fileOf(`${SECRET}\r\n`), link);
    expect(read(link).faults).toEqual([]);
  });

  it('is named by what was set, whatever is wrong with it', () => {
    expect(read(fileOf('password'.repeat(8))).faults).toEqual([
      expect.stringMatching(/^JWT_SECRET_FILE must be 32 to 4096 bytes/),
    ]);
    expect(inspectConfig({ JWT_SECRET_FILE: fileOf(SECRET) }).faults).toEqual([
      'TOKEN_ISSUER must be set when JWT_SECRET_FILE is set',
      'TOKEN_AUDIENCE must be set when JWT_SECRET_FILE is set',
    ]);
    const { faults } = inspectConfig({ REDIS_URL_FILE: fileOf('http://app:s3cr3t@h') });
    expect(faults).toEqual([expect.stringMatching(/^REDIS_URL_FILE must be redis:/)]);
  });

  it.each<[string, () => string, string]>([
    ['is not there', () => join(folder, 'nowhere'), 'that cannot be read (ENOENT)'],
    ['is empty', () => fileOf(''), 'with nothing in it'],
    ['holds white space alone', () => fileOf(' \n'), 'with nothing in it'],
    ['is too large', () => fileOf('a'.repeat(65_537)), 'of more than 65536 bytes'],
    ['is no text', () => fileOf(Buffer.from([0xff, 0xfe, 0x41])), 'that is not text (UTF-8)'],
    ['holds a zero', () => fileOf(`${SECRET}\0`), 'that is not text (UTF-8)'],
  ])('is refused where the file %s', (_, make, fault) => {
    const path = make();
    const { faults } = read(path);
    expect(faults).toEqual([`JWT_SECRET_FILE names a file ${fault}`]);
    expect(faults.join()).not.toContain(path);
  });

  it('is not looked for in a folder, a pipe that nobody writes to, or a device without an end', () => {
    const inner = join(folder, 'folder');
    const pipe = join(folder, 'pipe');
    mkdirSync(inner);
    execFileSync('mkfifo', [pipe]);
    expect(read(inner).faults).toEqual(['JWT_SECRET_FILE names a folder, not a file']);
    for (const path of [pipe, '/dev/zero']) {
      expect(read(path).faults).toEqual([
        'JWT_SECRET_FILE names something that is not a regular file',
      ]);
    }
  });
});
