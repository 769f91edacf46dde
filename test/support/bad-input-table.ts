import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ERRORS, type Problem, type ServiceErrorCode } from '@sluice/protocol';
import { type JwksServer, startJwksServer } from './jwks-server.js';
import { type RawRequest, rawRequest } from './raw-http.js';
import { Service } from './service.js';
import {
  createSigningKey,
  createTestIssuer,
  forge,
  type SigningKey,
  type TestIssuer,
} from './tokens.js';

// What stands at the door answers each bad input with exactly one code, as a problem document, and tells nothing.

export const EVENTS = '/realtime/workspace/acme/events';

type Header = readonly [name: string, value: string];

/** What is asked of the door: a GET of `EVENTS` unless it says otherwise. */
export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly Header[];
  readonly body?: string | Uint8Array;
}

/** A bad input, and the code it gets. `token` is one that holds. */
export interface Row {
  /** Begins with the number of the input in the list of bad inputs, where it has one. */
  readonly what: string;
  readonly ask: (token: string) => Ask;
  readonly code: ServiceErrorCode;
}

/** The service, and the issuer of whose good tokens the bad ones are variations. */
export class Door {
  issuer!: TestIssuer;
  /** Keys of the issuer beside its first, which is for ES256. */
  rsa!: SigningKey;
  p384!: SigningKey;
  ed25519!: SigningKey;
  /** Keys that are published, and may not verify: too short, for encryption, for signing alone. */
  unfit!: Readonly<Record<'weak' | 'enc' | 'sign-only', SigningKey>>;
  jwks!: JwksServer;
  service!: Service;
  /** Every token that was sent, to be looked for in the log. */
  readonly sent = new Set<string>();

  async open(env: Readonly<Record<string, string>>): Promise<void> {
    this.issuer = await createTestIssuer({ algorithm: 'ES256' });
    this.rsa = await createSigningKey('RS256');
    this.p384 = await createSigningKey('ES384');
    this.ed25519 = await createSigningKey('EdDSA');
    // A key that says nothing of its algorithm: its kind alone must pin it.
    const { alg: _, ...silentJwk } = this.p384.jwk;
    const enc = await createSigningKey('ES256', { kid: 'enc' });
    const signOnly = await createSigningKey('ES256', { kid: 'sign-only' });
    this.unfit = {
      weak: await createSigningKey('RS256', { kid: 'weak', modulusLength: 1_024 }),
      enc: { ...enc, jwk: { ...enc.jwk, use: 'enc' } },
      'sign-only': { ...signOnly, jwk: { ...signOnly.jwk, key_ops: ['sign'] } },
    };
    this.issuer.keys.push(
      this.rsa,
      { ...this.p384, jwk: silentJwk },
      this.ed25519,
      ...Object.values(this.unfit),
    );
    this.jwks = await startJwksServer(this.issuer.jwks);
    this.service = await Service.start({
      env: {
        ...this.issuer.settings(this.jwks.url),
        LOG_LEVEL: 'trace',
        // The tables are one address that fails all the time.
        MAX_FAILED_ATTEMPTS_PER_MINUTE: 'none',
        ...env,
      },
    });
  }

  async close(): Promise<void> {
    await this.service?.[Symbol.asyncDispose]();
    await this.jwks?.[Symbol.asyncDispose]();
  }

  get key(): SigningKey {
    return this.issuer.keys[0] as SigningKey;
  }

  /** The claims of a good token. */
  claims(): Record<string, unknown> {
    const [, payload] = this.parts();
    return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  }

  /** A token with a good signature over whatever header and payload. */
  signed(
    header: Record<string, unknown>,
    payload: unknown = this.claims(),
    by: SigningKey = this.key,
  ): string {
    return forge({ alg: by.algorithm, kid: by.kid, ...header }, payload, by);
  }

  /** The three segments of a good token. */
  parts(): [header: string, payload: string, signature: string] {
    return this.issuer.mint().split('.') as [string, string, string];
  }

  /** Asks with a token that was made for it alone. */
  withToken(make: () => string): () => Ask {
    return () => inHeader(make());
  }

  withClaims(changed: Record<string, unknown>): () => Ask {
    return this.withToken(() => this.signed({}, { ...this.claims(), ...changed }));
  }

  request(row: Row): RawRequest {
    const token = this.issuer.mint();
    const ask = row.ask(token);
    const given = (ask.headers ?? []).map(([, value]) => value.replace(/^Bearer /, ''));
    for (const text of [token, ...given]) if (text.length > 20) this.sent.add(text);
    return { port: this.service.port, path: EVENTS, ...ask };
  }
}

/** A door for the tests of one file, opened before and closed behind them. */
export function useDoor(env: Readonly<Record<string, string>> = {}): Door {
  const door = new Door();
  beforeAll(() => door.open(env));
  afterAll(() => door.close());
  return door;
}

export const inHeader = (token: string): Ask => ({
  headers: [['Authorization', `Bearer ${token}`]],
});
export const inQuery = (query: string): Ask => ({ path: `${EVENTS}?${query}` });
export const at =
  (path: string) =>
  (token: string): Ask => ({ ...inHeader(token), path });

/** Each row is a test. */
export function table(door: Door, title: string, rows: readonly Row[]): void {
  describe(title, () => {
    it.each(rows)('$what: $code', async (row) => {
      await expectRefusal(door.request(row), row.code);
    });
  });
}

/** The answer is this error and nothing more: a problem document without a word that is not the caller's business. */
export async function expectRefusal(request: RawRequest, code: ServiceErrorCode): Promise<void> {
  const { status, headers, body } = await rawRequest(request);
  const problem = JSON.parse(body) as Problem;
  expect(problem.code).toBe(code);
  expect(status).toBe(ERRORS[code].status);
  expect(headers.get('content-type')?.[0]).toBe('application/problem+json');
  expect(problem).toMatchObject({ status, recoverable: ERRORS[code].recoverable });
  expect(problem.requestId).toBe(headers.get('x-request-id')?.[0]);
  expect(body).not.toMatch(/node_modules|at \w+ \(|127\.0\.0\.1|eyJ/);
  if (status === 401) expect(headers.get('www-authenticate')?.[0]).toMatch(/^Bearer/);
  if (status === 503) expect(Number(headers.get('retry-after')?.[0])).toBeGreaterThan(0);
}

/** The last test of a file of tables: the service stands, and nothing that was sent is in its log. */
export function itServesOn(door: Door): void {
  it('goes on to serve after all that, and has logged no token', () => {
    const { service, sent } = door;
    expect(sent.size).toBeGreaterThan(0);
    const logged = service.stderr.items.join('\n') + service.stdout.items.join('\n');
    expect(logged).toContain('request refused');
    for (const token of sent) {
      expect(logged).not.toContain(token);
      for (const segment of token.split('.'))
        if (segment.length > 30) expect(logged).not.toContain(segment);
    }
    expect(service.describe()).toContain('runs');
  });
}
