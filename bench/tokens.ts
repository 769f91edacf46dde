import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import jsonwebtoken from 'jsonwebtoken';

const ISSUER = 'https://issuer.bench';
const AUDIENCE = 'sluice-bench';
const KEY_ID = 'bench-1';
/** The longest life that the service accepts by default. */
const LIFETIME_SECONDS = 86_000;

/** What is in a token beside its issuer, audience and times. */
export interface TokenClaims {
  readonly subject: string;
  readonly workspace: string;
}

/** An identity provider: signs with RS256, and publishes its key. */
export class TokenIssuer implements AsyncDisposable {
  private readonly kept = new Map<string, string>();

  private constructor(
    private readonly privateKey: KeyObject,
    readonly publicPem: string,
    readonly jwksUri: string,
    private readonly stop: () => Promise<void>,
  ) {}

  static async open(): Promise<TokenIssuer> {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, use: 'sig', alg: 'RS256' };
    const jwks = JSON.stringify({ keys: [jwk] });
    const server = createServer((_request, response) => {
      response.setHeader('Content-Type', 'application/json').end(jwks);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    return new TokenIssuer(privateKey, pem, `http://127.0.0.1:${port}/jwks`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
  }

  /** A token of its own for each subject and workspace; signing costs most of a millisecond, so they are kept. */
  token({ subject, workspace }: TokenClaims): string {
    const key = `${workspace} ${subject}`;
    let token = this.kept.get(key);
    if (token === undefined) {
      token = this.sign({ subject, workspace });
      this.kept.set(key, token);
    }
    return token;
  }

  /** Settings under which the service accepts these tokens. */
  get settings(): Record<string, string> {
    return { JWKS_URI: this.jwksUri, TOKEN_ISSUER: ISSUER, TOKEN_AUDIENCE: AUDIENCE };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private sign({ subject, workspace }: TokenClaims): string {
    const claims = { workspace, permissions: ['realtime:subscribe', 'realtime:publish'] };
    return jsonwebtoken.sign(claims, this.privateKey, {
      algorithm: 'RS256',
      keyid: KEY_ID,
      issuer: ISSUER,
      audience: AUDIENCE,
      subject,
      expiresIn: LIFETIME_SECONDS,
    });
  }
}
