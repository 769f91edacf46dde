import { type ChildProcess, fork } from 'node:child_process';
import type { JsonWebKey } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { createSigningKey, type SigningAlgorithm, type SigningKey } from './tokens.js';

const ENTRY = join(import.meta.dirname, 'run-openid-provider.js');
const START_DEADLINE_MS = 15_000;
const CLIENT_SECRET = 'a secret of the tests, for clients of the provider';

export interface OpenIdProviderOptions {
  /** It has one key and one client for each. */
  readonly algorithms: readonly SigningAlgorithm[];
  readonly audience: string;
  /** Claims of its access tokens beside those of RFC 9068. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** A real OpenID provider (`oidc-provider`) on loopback. Use it with `await using`. */
export class OpenIdProvider implements AsyncDisposable {
  private child: ChildProcess | null = null;

  private constructor(
    private readonly options: OpenIdProviderOptions,
    private readonly port: number,
    private keys: readonly SigningKey[],
  ) {}

  static async start(options: OpenIdProviderOptions): Promise<OpenIdProvider> {
    const keys = await makeKeys(options);
    const provider = new OpenIdProvider(options, await freePort(), keys);
    await provider.listen();
    return provider;
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Publishes new keys and none of the old ones, at the same address. */
  async rotate(): Promise<void> {
    await this.end();
    this.keys = await makeKeys(this.options);
    await this.listen();
  }

  /** An access token by the client credentials grant. */
  async token(algorithm: SigningAlgorithm, resource = this.options.audience): Promise<string> {
    const metadata = await readJson(`${this.issuer}/.well-known/openid-configuration`);
    const credentials = Buffer.from(`${algorithm}:${encodeURIComponent(CLIENT_SECRET)}`);
    const { access_token: token } = await readJson(String(metadata['token_endpoint']), {
      method: 'POST',
      headers: { authorization: `Basic ${credentials.toString('base64')}` },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        resource,
        scope: 'realtime:subscribe',
      }),
    });
    return String(token);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  private async listen(): Promise<void> {
    const child = fork(ENTRY, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
    this.child = child;
    let said = '';
    child.stderr?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    const { audience, claims, algorithms } = this.options;
    child.send({
      port: this.port,
      keys: this.keys.map(privateJwk),
      clients: algorithms.map((id) => ({ id, secret: CLIENT_SECRET })),
      audience,
      claims,
    });
    const deadline = AbortSignal.timeout(START_DEADLINE_MS);
    await Promise.race([
      once(child, 'message', { signal: deadline }),
      once(child, 'exit', { signal: deadline }).then(() => {
        throw new Error(`the OpenID provider ended before it listened: ${said}`);
      }),
    ]);
  }

  private async end(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

function makeKeys({ algorithms }: OpenIdProviderOptions): Promise<SigningKey[]> {
  return Promise.all(algorithms.map((algorithm) => createSigningKey(algorithm)));
}

function privateJwk({ privateKey, jwk }: SigningKey): JsonWebKey {
  return { ...jwk, ...privateKey.export({ format: 'jwk' }) };
}

async function readJson(url: string, init?: RequestInit): Promise<Record<string, unknown>> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}
