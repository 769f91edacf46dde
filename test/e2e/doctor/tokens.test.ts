import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Playground, startPlayground } from '../../support/playground.js';
import { type Listening, listen } from '../../support/test-service.js';
import { createSigningKey, forge, inSeconds } from '../../support/tokens.js';
import { examine, idsOf } from './examine.js';
import { startStandIn } from './stand-in.js';

let playground: Playground;
beforeAll(async () => {
  playground = await startPlayground({ env: { HEARTBEAT_MS: '300' } });
});
afterAll(async () => playground[Symbol.asyncDispose]());

/** Shows a token of alice to the service, with the keys of the issuer at hand. */
const examineToken = (token: string, args: readonly string[] = [], env = {}) =>
  examine([playground.service.url, '--workspace', 'acme', '--jwks', playground.jwks.url, ...args], {
    token,
    env,
  });

const remarkOn = (examined: Awaited<ReturnType<typeof examine>>, claim: string) =>
  (examined.check('token').facts['claims'] as { claim: string }[]).find(
    (remark) => remark.claim === claim,
  );

describe('a token that is good', () => {
  it('passes every check, and is not shown', async () => {
    const examined = await examineToken(playground.token, ['--publish', 'orders']);
    expect(idsOf(examined, 'problem')).toEqual([]);
    expect(idsOf(examined, 'warning')).toEqual([]);
    expect(examined.code).toBe(0);
    expect(examined.report.outcome).toBe('well');
    expect(idsOf(examined, 'skipped')).toEqual(['cors', 'readiness']);
    const [header, claims, signature] = playground.token.split('.');
    for (const part of [header, claims, signature]) expect(examined.printed).not.toContain(part);
    expect(examined.check('delivery').facts['deliveryMs']).toEqual(expect.any(Number));
  });

  it('needs no workspace to be named where it names one alone', async () => {
    const { report } = await examine([playground.service.url], { token: playground.token });
    expect(report.workspace).toBe('acme');
  });

  it('is narrowed to topics, which is told', async () => {
    const token = playground.issuer.mint({ permissions: { rooms: ['orders', 'user.*'] } });
    const { check } = await examineToken(token);
    expect(check('permission').seen).toContain(
      'events of other topics than these do not come: orders, user.*',
    );
  });
});

describe('a token that is refused', () => {
  it.each([
    ['has expired', { exp: inSeconds(-60) }, 'exp', 'expiry', 'TOKEN_EXPIRED'],
    ['is not good yet', { nbf: inSeconds(300) }, 'nbf', 'claims', 'INVALID_TOKEN'],
    ['was made in the future', { iat: inSeconds(300) }, 'iat', 'claims', 'INVALID_TOKEN'],
    ['never ends', { exp: undefined }, 'exp', 'claims', 'INVALID_TOKEN'],
    ['counts milliseconds', { exp: inSeconds(60) * 1_000 }, 'exp', 'claims', 'INVALID_TOKEN'],
    ['is for nobody', { aud: undefined }, 'aud', 'audience', 'INVALID_TOKEN'],
    ['is of nobody', { sub: '' }, 'claims', 'claims', 'INVALID_TOKEN'],
    [
      'is of another workspace',
      { workspace: 'other' },
      'workspace',
      'workspace',
      'WORKSPACE_MISMATCH',
    ],
  ])(
    'because it %s is explained by the claim, and by the answer',
    async (_, claims, claim, check, code) => {
      const examined = await examineToken(playground.issuer.mint(claims));
      expect(examined.code).toBe(1);
      expect(examined.check('token').facts['refusedBy']).toBe(check);
      expect(remarkOn(examined, claim)).toMatchObject({ verdict: 'problem', check });
      expect(examined.check('entry')).toMatchObject({ verdict: 'problem', facts: { code } });
      expect(idsOf(examined, 'problem')).toEqual(['token', 'entry']);
      // The signature was judged apart.
      expect(examined.check('signature').verdict).toBe('ok');
    },
  );

  it('because it is for another audience is explained by the answer, and before it where the setting is known', async () => {
    const token = playground.issuer.mint({ aud: 'elsewhere' });
    const blind = await examineToken(token);
    expect(idsOf(blind, 'problem')).toEqual(['entry']);
    expect(blind.check('entry')).toMatchObject({
      seen: ['INVALID_TOKEN: The token is for another audience.'],
      advice: expect.stringContaining('TOKEN_AUDIENCE'),
    });
    const env = { TOKEN_AUDIENCE: 'sluice-test', TOKEN_ISSUER: 'https://issuer.test' };
    const knowing = await examineToken(token, [], env);
    expect(remarkOn(knowing, 'aud')).toMatchObject({ verdict: 'problem', check: 'audience' });
    expect(remarkOn(knowing, 'iss')).toMatchObject({ verdict: 'ok' });
  });

  it('because its workspace stands in a claim of another name is told with the name', async () => {
    const token = playground.issuer.mint({ workspace: undefined, org: 'acme' });
    const examined = await examineToken(token);
    expect(remarkOn(examined, 'workspace')).toMatchObject({
      verdict: 'warning',
      note: expect.stringContaining('but "org" does'),
    });
    expect(examined.check('entry').facts['code']).toBe('WORKSPACE_MISMATCH');
  });

  it('because it may not subscribe is told apart from a bad token', async () => {
    const examined = await examineToken(playground.issuer.mint({ permissions: ['nothing'] }));
    expect(examined.code).toBe(1);
    expect(idsOf(examined, 'problem')).toEqual(['permission']);
    expect(examined.check('permission')).toMatchObject({
      seen: [expect.stringContaining('FORBIDDEN'), 'the token says: permissions ["nothing"]'],
      advice: expect.stringContaining('realtime:subscribe'),
    });
  });

  it('because its key is not known is told by the JWKS and by the answer', async () => {
    const key = await createSigningKey('ES256', { kid: 'rotated-out' });
    const examined = await examineToken(playground.issuer.mint({}, { key }));
    expect(idsOf(examined, 'problem')).toEqual(['jwks', 'signature', 'entry']);
    expect(examined.check('jwks').facts['isKeyOfTokenMissing']).toBe(true);
  });

  it('because it was changed is told by its signature', async () => {
    const [header, , signature] = playground.token.split('.');
    const claims = playground.issuer.mint({ sub: 'mallory' }).split('.')[1];
    const examined = await examineToken(`${header}.${claims}.${signature}`);
    expect(examined.check('signature')).toMatchObject({
      verdict: 'problem',
      seen: ['The signature of the token does not hold.'],
    });
    expect(examined.printed).not.toContain(signature);
  });

  it('because nobody signed it is told by its algorithm', async () => {
    const claims = { iss: 'https://issuer.test', aud: 'sluice-test', sub: 'a', exp: inSeconds(60) };
    const examined = await examineToken(forge({ alg: 'none' }, claims, ''));
    expect(remarkOn(examined, 'alg')).toMatchObject({
      check: 'algorithm',
      note: expect.stringContaining('anybody could have made it'),
    });
    expect(examined.check('entry').facts['code']).toBe('INVALID_TOKEN');
  });

  it.each(['not-a-token', 'a.b.c', `${'x'.repeat(9_000)}`])(
    'because it is no JWT at all: %.20s',
    async (token) => {
      const examined = await examineToken(token);
      expect(examined.code).toBe(1);
      expect(examined.check('token').facts['refusedBy']).toBe('form');
      if (token.length > 20) expect(examined.printed).not.toContain(token);
    },
  );
});

describe('the keys', () => {
  let server: Listening;
  let body: unknown;
  beforeAll(async () => {
    server = await listen((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  afterAll(async () => server[Symbol.asyncDispose]());

  const examineKeys = (answer: unknown, token = playground.issuer.mint({}, {})) => {
    body = answer;
    const url = `http://127.0.0.1:${server.port}/jwks.json`;
    return examine([playground.service.url, '--workspace', 'acme', '--jwks', url], { token });
  };
  const good = () => playground.issuer.keys[0]?.jwk ?? {};

  it('that are published with their private parts are told of, and not shown', async () => {
    const key = playground.issuer.keys[0];
    const leaked = { ...good(), ...key?.privateKey.export({ format: 'jwk' }) };
    const examined = await examineKeys({ keys: [leaked] });
    expect(examined.code).toBe(1);
    expect(examined.check('jwks')).toMatchObject({
      verdict: 'problem',
      seen: expect.arrayContaining([expect.stringContaining('PRIVATE parts are published')]),
    });
    expect(examined.printed).not.toContain(String((leaked as { d?: string }).d));
    expect(examined.check('signature').verdict).toBe('ok');
  });

  it('that the service has are told to be others, where the signature holds by those that are published', async () => {
    const kid = playground.issuer.keys[0]?.kid ?? '';
    const key = await createSigningKey(playground.issuer.keys[0]?.algorithm ?? 'ES256', { kid });
    const token = playground.issuer.mint({}, { key });
    const examined = await examineKeys({ keys: [key.jwk] }, token);
    expect(idsOf(examined, 'problem')).toEqual(['entry']);
    expect(examined.check('entry').advice).toMatch(/the service has others/);
  });

  it('that are weak, nameless, doubled or no keys are told of', async () => {
    const weak = await createSigningKey('RS256', { kid: 'weak', modulusLength: 1024 });
    const { kid: _, ...nameless } = good() as { kid?: string };
    const mixed = await examineKeys({
      keys: [good(), weak.jwk, nameless, 7, { kty: 'oct', k: 'c2VjcmV0' }],
    });
    expect(mixed.check('jwks')).toMatchObject({ verdict: 'problem' });
    expect(mixed.check('jwks').seen.join('\n')).toMatch(
      /weak: RSA 1024, of no use: 1024 bits are too weak/,
    );
    expect(mixed.check('jwks').seen.join('\n')).toMatch(/no kid/);
    expect((await examineKeys({ keys: [good(), weak.jwk] })).check('jwks').verdict).toBe('warning');
    const doubled = await examineKeys({ keys: [good(), good()] });
    expect(doubled.check('jwks').facts['doubled']).toEqual([playground.issuer.keys[0]?.kid]);
    expect((await examineKeys({ keys: [] })).check('jwks').verdict).toBe('problem');
    expect((await examineKeys({ keys: 'none' })).check('jwks').verdict).toBe('problem');
  });

  it.each(['down', 'html', 'error', 'redirect'] as const)(
    'whose server answers with %s are told of',
    async (answer) => {
      playground.jwks.answer = answer;
      try {
        const examined = await examineToken(playground.token);
        expect(examined.code).toBe(1);
        expect(examined.check('jwks').verdict).toBe('problem');
        expect(examined.check('signature')).toMatchObject({ verdict: 'skipped' });
      } finally {
        playground.jwks.answer = 'keys';
      }
    },
  );

  it('that the name of the issuer does not lead to are a warning, as the service may know better', async () => {
    await using metadata = await listen((_, response) => response.writeHead(500).end());
    const iss = `http://127.0.0.1:${metadata.port}`;
    const args = [playground.service.url, '--workspace', 'acme'];
    const { check } = await examine(args, { token: playground.issuer.mint({ iss }) });
    expect(check('jwks')).toMatchObject({
      verdict: 'warning',
      seen: [expect.stringContaining(`by the metadata of ${iss}: the metadata`)],
      advice: expect.stringContaining('--jwks'),
    });
  });

  it('over plain http from elsewhere are not asked for', async () => {
    const args = [playground.service.url, '--jwks', 'http://keys.example/jwks.json'];
    const { check } = await examine(args);
    expect(check('jwks')).toMatchObject({
      verdict: 'problem',
      seen: [expect.stringContaining('it was not asked')],
    });
  });
});

describe('the clocks', () => {
  it.each([
    [30, 'warning'],
    [-3_600, 'problem'],
  ])(
    'that differ by %i s are told of, and the token is judged by the one of the service',
    async (skew, verdict) => {
      const date = () => new Date(Date.now() + skew * 1_000).toUTCString();
      await using proxy = await startStandIn(playground.service.port, {
        answer: (headers) => ({ ...headers, date: date() }),
      });
      const args = [
        `http://127.0.0.1:${proxy.port}`,
        '--workspace',
        'acme',
        '--jwks',
        playground.jwks.url,
      ];
      const examined = await examine(args, { token: playground.token });
      expect(examined.check('clock')).toMatchObject({ verdict });
      expect(Math.abs(Number(examined.check('clock').facts['skewSeconds']) - skew)).toBeLessThan(3);
      expect(examined.check('token').facts['refusedBy']).toBe(skew < 0 ? 'claims' : null);
      // The service itself has the right time here, and lets the token in.
      expect(examined.check('entry').verdict).toBe(skew < 0 ? 'warning' : 'ok');
    },
  );
});
