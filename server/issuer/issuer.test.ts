import { createHash, createPublicKey } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import jsonwebtoken from 'jsonwebtoken';
import type { TokenRequest } from './access-token.js';
import { type Issuer, openIssuer } from './issuer.js';
import { IssuerError } from './issuer-error.js';

let dataDir: string;
let keysFile: string;
// Made once: keys are costly to make, and most tests only need some.
let keysText: string;

async function freshDataDir() {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-issuer-'));
  keysFile = join(dataDir, 'issuer', 'keys.json');
}

beforeAll(async () => {
  await freshDataDir();
  await open();
  keysText = await readFile(keysFile, 'utf8');
  await rm(dataDir, { recursive: true });
});
beforeEach(freshDataDir);
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const open = (workspaceClaim = 'workspace') =>
  openIssuer({ dataDir, issuer: 'urn:test', audience: 'sluice', workspaceClaim });

async function openWithKeys(workspaceClaim?: string) {
  await mkdir(join(dataDir, 'issuer'), { mode: 0o700 });
  await writeFile(keysFile, keysText, { mode: 0o600 });
  return open(workspaceClaim);
}

const REQUEST: TokenRequest = {
  subject: 'alice',
  workspaces: ['acme'],
  permissions: ['realtime:subscribe', 'realtime:publish'],
  lifetimeSeconds: 60,
};

/** Checks a token as a stranger would: with nothing but the published keys. */
function verify(issuer: Issuer, token: string) {
  const kid = jsonwebtoken.decode(token, { complete: true })?.header.kid;
  const key = issuer.jwks().keys.find((candidate) => candidate.kid === kid);
  if (key === undefined) throw new Error('the key of the token is not published');
  return jsonwebtoken.verify(token, createPublicKey({ format: 'jwk', key: { ...key } }), {
    algorithms: ['RS256'],
    issuer: 'urn:test',
    audience: 'sluice',
    complete: true,
  });
}

function edited(text: string, edit: (keys: object[]) => object[]): string {
  return JSON.stringify({ version: 2, keys: edit(JSON.parse(text).keys) });
}

describe('keys of the issuer', () => {
  it('are made on the first start, for their owner alone', async () => {
    await open();
    expect((await stat(join(dataDir, 'issuer'))).mode & 0o777).toBe(0o700);
    expect((await stat(keysFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(dataDir, 'issuer'))).toEqual(['keys.json']);
    expect(JSON.parse(await readFile(keysFile, 'utf8'))).toMatchObject({
      version: 2,
      keys: [{ alg: 'RS256', privateJwk: { kty: 'RSA' } }],
    });
  });

  it('are kept over a restart', async () => {
    const { token } = (await open()).issueToken(REQUEST);
    expect(verify(await open(), token).payload).toMatchObject({ sub: 'alice' });
  });

  it('are the same for all that start at once', async () => {
    const issuers = await Promise.all(Array.from({ length: 6 }, () => open()));
    const published = issuers.map((issuer) => JSON.stringify(issuer.jwks()));
    expect(new Set(published).size).toBe(1);
    expect(await readdir(join(dataDir, 'issuer'))).toEqual(['keys.json']);
  });

  it('are published without their private members, named by their thumbprint', async () => {
    const { keys } = (await openWithKeys()).jwks();
    const [key] = keys;
    expect(Object.keys(key ?? {}).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    expect(key).toMatchObject({ kty: 'RSA', alg: 'RS256', use: 'sig' });
    // RFC 7638, section 3.1: the members in this very order and form.
    const input = `{"e":"${key?.e}","kty":"RSA","n":"${key?.n}"}`;
    expect(key?.kid).toBe(createHash('sha256').update(input).digest('base64url'));
  });

  it('are all published, and the first signs, where an older release wrote them', async () => {
    const { keys: first } = JSON.parse(keysText);
    await open();
    const { keys: second } = JSON.parse(await readFile(keysFile, 'utf8'));
    const keys = [...first, ...second].map(({ signsFrom: _, ...key }) => key);
    await writeFile(keysFile, JSON.stringify({ version: 1, keys }));

    const both = await open();
    const kids = both.jwks().keys.map(({ kid }) => kid);
    expect([...kids].sort()).toEqual(keys.map(({ kid }) => kid).sort());
    expect(verify(both, both.issueToken(REQUEST).token).header.kid).toBe(keys[0].kid);
  });

  it.each([
    ['text that is not JSON', () => '{"version":1,"keys":[{"privateJwk":{"d":"SECRET'],
    ['another version', (text: string) => text.replace('"version": 2', '"version": 3')],
    ['no keys', () => '{"version":2,"keys":[]}'],
    ['a key twice', (text: string) => edited(text, (keys) => [...keys, ...keys])],
    ['too many keys', (text: string) => edited(text, ([key]) => Array(11).fill(key))],
    ['no time to sign from', (text: string) => text.replace('"signsFrom"', '"from"')],
    ['a time that is none', (text: string) => text.replace(/"createdAt": "/, '"createdAt": "x')],
    ['null', () => 'null'],
    ['a key that is not a key', () => '{"version":2,"keys":[{"kid":"a","alg":"RS256"}]}'],
    ['another kid', (text: string) => text.replace(/"kid": "./, '"kid": "_')],
    ['another algorithm', (text: string) => text.replace('"RS256"', '"HS256"')],
  ])('are refused and left as they are where the file has %s', async (_, damage) => {
    await openWithKeys();
    const damaged = damage(keysText);
    await writeFile(keysFile, damaged);
    const failure = await open().then(
      () => null,
      (error) => error,
    );
    expect(failure).toBeInstanceOf(IssuerError);
    expect(failure.message).toContain(`${keysFile} is damaged`);
    expect(failure.message).not.toContain('SECRET');
    expect(await readFile(keysFile, 'utf8')).toBe(damaged);
  });

  it.each([
    ['keys.json', 0o640],
    ['keys.json', 0o604],
    ['.', 0o750],
  ])('are refused where others may read %s (%s)', async (name, mode) => {
    await openWithKeys();
    await chmod(join(dataDir, 'issuer', name), mode);
    await expect(open()).rejects.toThrow('is open to other users of this machine');
  });
});

describe('a token', () => {
  it('carries the claims of its request', async () => {
    const issuer = await openWithKeys();
    const before = Math.floor(Date.now() / 1000);
    const { token, expiresAt } = issuer.issueToken({ ...REQUEST, clientId: 'backend' });
    const { header, payload } = verify(issuer, token);
    expect(header).toMatchObject({ alg: 'RS256', typ: 'at+jwt' });
    const { iat, exp, jti, ...claims } = payload as jsonwebtoken.JwtPayload;
    expect(claims).toEqual({
      iss: 'urn:test',
      sub: 'alice',
      aud: 'sluice',
      client_id: 'backend',
      workspace: 'acme',
      permissions: ['realtime:subscribe', 'realtime:publish'],
      scope: 'realtime:subscribe realtime:publish',
    });
    expect(iat).toBeGreaterThanOrEqual(before);
    expect(exp).toBe((iat as number) + 60);
    expect(expiresAt.getTime()).toBe((exp as number) * 1000);
    expect(jti).not.toBe(
      jsonwebtoken.decode(issuer.issueToken(REQUEST).token, { json: true })?.jti,
    );
  });

  it('grants on topics, and then has no scope', async () => {
    const issuer = await openWithKeys();
    const permissions = {
      orders: ['realtime:subscribe', 'realtime:publish'],
      'user.*': ['realtime:subscribe'],
    };
    const { token } = issuer.issueToken({ ...REQUEST, permissions });
    const payload = jsonwebtoken.decode(token, { json: true });
    expect(payload).toMatchObject({ permissions });
    expect(payload).not.toHaveProperty('scope');
  });

  it('lists several workspaces in the plural of the claim', async () => {
    const issuer = await openWithKeys('org');
    const { token } = issuer.issueToken({ ...REQUEST, workspaces: ['acme', 'other', 'acme'] });
    const payload = jsonwebtoken.decode(token, { json: true });
    expect(payload).toMatchObject({ orgs: ['acme', 'other'] });
    expect(payload).not.toHaveProperty('org');
    expect(payload).not.toHaveProperty('client_id');
  });

  it.each<[string, Partial<TokenRequest>]>([
    ['no workspace', { workspaces: [] }],
    ['a workspace that is none', { workspaces: ['acme', '../acme'] }],
    ['more workspaces than a header holds', { workspaces: Array(51).fill('acme') }],
    ['no permission', { permissions: [] }],
    ['an unknown permission', { permissions: ['realtime:everything'] }],
    ['no permission on a topic', { permissions: { orders: [] } }],
    ['no topic', { permissions: {} }],
    ['an unknown permission on a topic', { permissions: { orders: ['realtime:everything'] } }],
    ['administration of a topic', { permissions: { orders: ['realtime:admin'] } }],
    ['what is no topic', { permissions: { 'a b': ['realtime:publish'] } }],
    [
      'a topic of a name that means something else',
      { permissions: { rooms: ['realtime:publish'] } },
    ],
    [
      'too many topics',
      {
        permissions: Object.fromEntries(
          Array.from({ length: 101 }, (_, n) => [`t${n}`, ['realtime:publish']]),
        ),
      },
    ],
    [
      'more than a header holds',
      {
        permissions: Object.fromEntries(
          Array.from({ length: 40 }, (_, n) => [`${n}`.padEnd(256, 'x'), ['realtime:publish']]),
        ),
      },
    ],
    ['no client id', { clientId: '' }],
    ['a client id with a line break', { clientId: 'a\nb' }],
    ['no subject', { subject: '' }],
    ['a subject with a line break', { subject: 'alice\nbob' }],
    ['a subject that is too long', { subject: 'a'.repeat(257) }],
    ['no lifetime', { lifetimeSeconds: 0 }],
    ['a broken lifetime', { lifetimeSeconds: 1.5 }],
    ['an endless lifetime', { lifetimeSeconds: Number.POSITIVE_INFINITY }],
  ])('is refused with %s', async (_, fault) => {
    const issuer = await openWithKeys();
    expect(() => issuer.issueToken({ ...REQUEST, ...fault })).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    );
  });

  it.each(['sub', 'permission', 'permissions', 'scope', 'client_id'])(
    'cannot carry its workspace in the claim "%s"',
    async (claim) => {
      await expect(open(claim)).rejects.toThrow(IssuerError);
    },
  );
});
