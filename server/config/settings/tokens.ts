import { nameSettings } from '../setting.js';
import { flag, integer, oneOf, optionalInteger, someOf, text, url } from '../setting-kinds.js';

/** Of keys that verify but cannot sign; HS256 is for a shared secret alone. Ed25519 has two names (RFC 8037, RFC 9864). */
export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** What the embedded issuer puts into `iss`, unless told otherwise. */
export const EMBEDDED_ISSUER = 'urn:sluice:embedded';

/** The most that one variable of the environment can hold on Linux (MAX_ARG_STRLEN); secrets have a bound of their own. */
const MAX_TEXT = 131_072;
const SECRET_BOUNDS = '32 to 4096 bytes that cannot be guessed; no PEM, JWK or SSH key';

/** Which tokens are accepted. */
export const TOKEN_SETTINGS = nameSettings({
  TOKEN_ISSUER: text({
    meaning:
      "What `iss` of every token must be. If it is an `http(s)` address, neither `JWKS_URI` nor `JWT_SECRET` is set and `ISSUER_ENABLED` is not `true`, the issuer's metadata is asked for its keys (OpenID Connect Discovery, RFC 8414).",
    fallback: EMBEDDED_ISSUER,
    most: 2_048,
  }),
  TOKEN_AUDIENCE: text({
    meaning: 'What `aud` of every token must be or hold.',
    fallback: 'sluice',
    most: 2_048,
  }),
  JWKS_URI: url({ meaning: 'Where your identity provider publishes its keys.' }),
  JWT_SECRET: text({
    meaning:
      'A secret shared with the program that makes the tokens, for HS256. For small set-ups: whoever knows it can make any token.',
    bounds: SECRET_BOUNDS,
    isSecret: true,
    most: MAX_TEXT,
  }),
  TOKEN_ISSUERS: text({
    meaning:
      'Several issuers, as a JSON list of `{"issuer", "audience", "jwksUri"}`. Without `jwksUri` the issuer\'s metadata is asked. Keys of one are never used for another.',
    bounds: '1 to 20 issuers, in place of the four settings above',
    most: MAX_TEXT,
  }),
  TOKEN_ALGORITHMS: someOf({
    meaning:
      'Algorithms that are accepted of keys that are published, separated by commas. HS256 is for `JWT_SECRET` alone.',
    bounds: 'some of the six, each once',
    choices: ALGORITHMS,
  }),
  TOKEN_TYPE: oneOf({
    meaning:
      '`at+jwt`: the header `typ` must say that it is an access token (RFC 9068). `jwt`: it may also be `JWT` or absent.',
    choices: ['jwt', 'at+jwt'],
    fallback: 'jwt',
  }),
  TOKEN_MAX_LIFETIME_SECONDS: integer({
    meaning:
      'How long a token may live, and how far ahead its `exp` may lie. Revocations are remembered as long.',
    fallback: 86_400,
    least: 60,
    most: 31_536_000,
  }),
  CLOCK_TOLERANCE_SECONDS: integer({
    meaning: 'How far the clocks of issuer and service may differ. It does not lengthen a stream.',
    fallback: 5,
    least: 0,
    most: 300,
  }),
  WORKSPACE_CLAIM: text({
    meaning:
      "The claim that names a token's workspace. A list stands under the same name with an `s`.",
    bounds: 'letters, digits and `_:/.-`, up to 128, a letter first',
    fallback: 'workspace',
    most: 128,
    fault: 'must be the name of a claim',
    isValid: (name) => /^[A-Za-z][A-Za-z0-9_:/.-]*$/.test(name) && !(name in Object.prototype),
  }),
  QUERY_TOKENS: flag({
    meaning:
      'Whether an access token in the address (`?access_token=`) is accepted. Addresses get into logs: stream tokens are the better way.',
    fallback: true,
  }),
  QUERY_TOKEN_MAX_LIFETIME_SECONDS: optionalInteger({
    meaning: 'How long a token in the address may live, from `iat` to `exp`.',
    least: 1,
    most: 31_536_000,
  }),
});

export const ISSUER_SETTINGS = nameSettings({
  ISSUER_ENABLED: flag({
    meaning:
      'Whether the embedded issuer runs. If an issuer is named by `JWKS_URI`, `JWT_SECRET`, `TOKEN_ISSUERS` or an address in `TOKEN_ISSUER`, the default is `false`. With `true`, beside `JWKS_URI` or `TOKEN_ISSUERS`, the tokens of both are accepted, those of the embedded one under `urn:sluice:embedded`. With `TOKEN_ISSUER` alone, that is the name of the embedded issuer, and nobody else is asked.',
    fallback: true,
  }),
  ISSUER_EXPOSED: flag({
    meaning:
      'Whether the embedded issuer answers callers whose connection comes from another machine, or through a proxy.',
    fallback: false,
  }),
  ISSUER_KEY_SECRET: text({
    meaning:
      "With `REDIS_URL`, where all nodes share the embedded issuer's keys and service accounts: the secret with which they are encrypted there, the same on every node. Without it whoever can read Redis can make tokens, and a warning at the start says so.",
    bounds: SECRET_BOUNDS,
    isSecret: true,
    most: MAX_TEXT,
    needs: { name: 'REDIS_URL', why: 'files are not encrypted by it' },
  }),
});
