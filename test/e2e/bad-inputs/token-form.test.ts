import { createHmac, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  EVENTS,
  expectRefusal,
  inHeader,
  inQuery,
  itServesOn,
  type Row,
  table,
  useDoor,
} from '../../support/bad-input-table.js';
import { type JwksServer, startJwksServer } from '../../support/jwks-server.js';
import { RawStream } from '../../support/raw-http.js';
import { Service } from '../../support/service.js';
import { createSigningKey, forge, type SigningKey } from '../../support/tokens.js';

const door = useDoor();
/** A key that nobody published. */
let stranger: SigningKey;
/** Where tokens say that their keys are. */
let trap: JwksServer;

beforeAll(async () => {
  stranger = await createSigningKey('ES256', { kid: 'stranger' });
  trap = await startJwksServer(() => ({ keys: [stranger.jwk] }));
});
afterAll(async () => {
  await trap[Symbol.asyncDispose]();
});

/** What would let the key of the token be found, if it were looked for there. */
function carried(name: string): unknown {
  const values: Record<string, unknown> = { jwk: stranger.jwk, x5c: ['MIIB'] };
  return values[name] ?? trap.url;
}

table(door, 'the form of the token', [
  {
    what: '11. two segments',
    ask: door.withToken(() => door.parts().slice(0, 2).join('.')),
    code: 'INVALID_TOKEN',
  },
  {
    what: '11. four segments',
    ask: door.withToken(() => `${door.issuer.mint()}.${door.parts()[2]}`),
    code: 'INVALID_TOKEN',
  },
  {
    what: '11. a JWE',
    ask: door.withToken(() => `${forge({ alg: 'dir', enc: 'A256GCM' }, 'x', 'eHh4')}.eHh4.eHh4`),
    code: 'INVALID_TOKEN',
  },
  {
    what: '11. JSON serialization',
    ask: door.withToken(() =>
      JSON.stringify({
        protected: door.parts()[0],
        payload: door.parts()[1],
        signature: door.parts()[2],
      }).replaceAll(' ', ''),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '12. a header that is not JSON',
    ask: door.withToken(() => forge(Buffer.from('{'), door.claims(), door.key)),
    code: 'INVALID_TOKEN',
  },
  ...[1, [], null].map(
    (header): Row => ({
      what: `12. a header that is ${JSON.stringify(header)}`,
      ask: door.withToken(() => forge(header, door.claims(), door.key)),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '13. a payload that is not JSON',
    ask: door.withToken(() => door.signed({}, Buffer.from('nonsense'))),
    code: 'INVALID_TOKEN',
  },
  ...[null, ['a'], 'text', 7].map(
    (payload): Row => ({
      what: `13. a payload that is ${JSON.stringify(payload)}`,
      ask: door.withToken(() => door.signed({}, payload)),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '13. a payload that is not UTF-8',
    ask: door.withToken(() => door.signed({}, Buffer.from([0x7b, 0xff, 0x7d]))),
    code: 'INVALID_TOKEN',
  },
  ...['none', 'NoNe', undefined, ['ES256'], 'es256', 'HS256', 'EdDSA'].map(
    (alg): Row => ({
      what: `14. alg ${JSON.stringify(alg)}`,
      ask: door.withToken(() => door.signed({ alg })),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '14. alg none without a signature',
    ask: door.withToken(() => forge({ alg: 'none', kid: door.key.kid }, door.claims(), '')),
    code: 'INVALID_TOKEN',
  },
  {
    what: "15. HS256 with the public key's PEM",
    ask: door.withToken(() => hmacSigned()),
    code: 'INVALID_TOKEN',
  },
  {
    what: "16. another alg than the key's own",
    ask: door.withToken(() =>
      door.signed({ alg: 'RS256', kid: door.rsa.kid }, door.claims(), {
        ...door.rsa,
        algorithm: 'PS256',
      }),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '16. PS256, well signed, by a key whose own alg is RS256',
    ask: door.withToken(() =>
      door.signed({ alg: 'PS256' }, door.claims(), { ...door.rsa, algorithm: 'PS256' }),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '16. an alg of another kind of key',
    ask: door.withToken(() => door.signed({ alg: 'RS256' })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '16. an alg of another curve',
    ask: door.withToken(() =>
      door.signed({ alg: 'ES256', kid: door.p384.kid }, door.claims(), door.p384),
    ),
    code: 'INVALID_TOKEN',
  },
  ...[
    undefined,
    {},
    '',
    'k'.repeat(2_000),
    '__proto__',
    'constructor',
    '../../etc/passwd',
    null,
  ].map(
    (kid): Row => ({
      what: `17. kid ${JSON.stringify(kid)?.slice(0, 20)}`,
      ask: door.withToken(() => door.signed({ kid })),
      code: 'INVALID_TOKEN',
    }),
  ),
  ...['jku', 'x5u', 'x5c', 'jwk'].map(
    (name): Row => ({
      what: `18. ${name}`,
      ask: door.withToken(() => door.signed({ [name]: carried(name) })),
      code: 'INVALID_TOKEN',
    }),
  ),
  ...['jku', 'x5u', 'x5c', 'jwk'].map(
    (name): Row => ({
      what: `18. ${name}, signed with the key that it brings`,
      ask: door.withToken(() =>
        door.signed({ [name]: carried(name), kid: stranger.kid }, door.claims(), stranger),
      ),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '19. an unknown crit',
    ask: door.withToken(() => door.signed({ crit: ['x'], x: 1 })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '19. b64 false',
    ask: door.withToken(() => door.signed({ b64: false, crit: ['b64'] })),
    code: 'INVALID_TOKEN',
  },
  ...['logout+jwt', 'dpop+jwt', 'secevent+jwt', '', null, ['at+jwt']].map(
    (typ): Row => ({
      what: `20. the type ${JSON.stringify(typ)}`,
      ask: door.withToken(() => door.signed({ typ })),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '20. a nested token',
    ask: door.withToken(() => door.signed({ cty: 'JWT' })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '21. a signature with one bit flipped',
    ask: door.withToken(() => flipped()),
    code: 'INVALID_TOKEN',
  },
  {
    what: '21. a signature of zeros',
    ask: door.withToken(() =>
      forge({ alg: 'ES256', kid: door.key.kid }, door.claims(), Buffer.alloc(64)),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '21. a signature in DER',
    ask: door.withToken(() => inDer()),
    code: 'INVALID_TOKEN',
  },
  {
    what: '21. an empty signature',
    ask: door.withToken(() => door.parts().slice(0, 2).join('.').concat('.')),
    code: 'INVALID_TOKEN',
  },
  ...(['rsa', 'p384', 'ed25519'] as const).map(
    (name): Row => ({
      what: `21. the signature of another token, by ${name}`,
      ask: door.withToken(() => {
        const key = door[name];
        const [header, payload] = door.issuer.mint({}, { key }).split('.');
        const other = door.issuer.mint({ sub: 'bob' }, { key }).split('.')[2];
        return `${header}.${payload}.${other}`;
      }),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '21. a short signature',
    ask: door.withToken(() =>
      forge({ alg: 'ES256', kid: door.key.kid }, door.claims(), Buffer.alloc(8)),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '22. padding',
    ask: door.withToken(() => `${door.issuer.mint()}==`),
    code: 'INVALID_TOKEN',
  },
  { what: '22. loose bits', ask: door.withToken(() => looseBits()), code: 'INVALID_TOKEN' },
  {
    what: '22. the other alphabet',
    ask: door.withToken(() => `${door.issuer.mint().slice(0, -4)}+/+/`),
    code: 'INVALID_TOKEN',
  },
  ...[' ', '\t', '%20'].map(
    (space): Row => ({
      what: `22. white space inside (${JSON.stringify(space)})`,
      ask: () => inQuery(`access_token=${door.parts().join(`.${encodeURI(space)}`)}`),
      code: 'INVALID_TOKEN',
    }),
  ),
  ...(['weak', 'enc', 'sign-only'] as const).map(
    (kid): Row => ({
      what: `23. a key that is ${kid}`,
      ask: door.withToken(() => door.signed({}, door.claims(), door.unfit[kid])),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '24. a claim twice, once escaped',
    ask: door.withToken(() =>
      door.signed(
        {},
        Buffer.from(JSON.stringify(door.claims()).replace('{', '{"work\\u0073pace":"acme",')),
      ),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '24. a header twice',
    ask: door.withToken(() =>
      forge(
        Buffer.from(`{"alg":"none","alg":"ES256","kid":"${door.key.kid}"}`),
        door.claims(),
        door.key,
      ),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '24. a claim twice',
    ask: door.withToken(() =>
      door.signed(
        {},
        Buffer.from(JSON.stringify(door.claims()).replace('{', '{"workspace":"acme",')),
      ),
    ),
    code: 'INVALID_TOKEN',
  },
]);

describe('18. the address that a token brings', () => {
  it('is never asked', () => {
    expect(trap.calls.items).toEqual([]);
    expect(trap.metadataCalls).toEqual([]);
  });
});

describe('20. the type of an access token', () => {
  it('can be required: then no other is taken', async () => {
    const settings = door.issuer.settings(door.jwks.url);
    await using strict = await Service.start({ env: { ...settings, TOKEN_TYPE: 'at+jwt' } });
    const ask = (typ: string | undefined) => inHeader(door.issuer.mint({}, { header: { typ } }));
    for (const typ of ['JWT', 'application/jwt', undefined]) {
      await expectRefusal({ port: strict.port, path: EVENTS, ...ask(typ) }, 'INVALID_TOKEN');
    }
    using stream = await RawStream.open({ port: strict.port, path: EVENTS, ...ask('at+jwt') });
    expect((await stream.head).status).toBe(200);
  });
});

itServesOn(door);

function hmacSigned(): string {
  const pem = door.key.publicKey.export({ format: 'pem', type: 'spki' });
  const [header, payload] = forge({ alg: 'HS256', kid: door.key.kid }, door.claims(), '').split(
    '.',
  );
  return `${header}.${payload}.${createHmac('sha256', pem).update(`${header}.${payload}`).digest('base64url')}`;
}

/** The same signature in the form that X.509 has, which some libraries take as well. */
function inDer(): string {
  const [header, payload] = door.parts();
  const der = sign('sha256', Buffer.from(`${header}.${payload}`), {
    key: door.key.privateKey,
    dsaEncoding: 'der',
  });
  return `${header}.${payload}.${der.toString('base64url')}`;
}

function flipped(): string {
  const [header, payload, signature] = door.parts();
  const bytes = Buffer.from(signature, 'base64url');
  bytes[10] = (bytes[10] as number) ^ 1;
  return `${header}.${payload}.${bytes.toString('base64url')}`;
}

/** The last character of 64 bytes in base64url has four bits that mean nothing. */
function looseBits(): string {
  const token = door.issuer.mint();
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + alphabet.charAt(alphabet.indexOf(token.slice(-1)) + 1);
}
