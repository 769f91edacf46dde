import { createSecretKey } from 'node:crypto';
import { type Config, type EmbeddedIssuer, readGivenConfig, type TrustedIssuer } from './config.js';
import { SluiceError, spreadRetryMs } from './errors.js';
import { permissionOf } from './gate/permission/permission-name.js';
import {
  checkWorkspaceClaim,
  type IssuedToken,
  signAccessToken,
  type TokenRequest,
} from './issuer/access-token.js';
import type { TopicGrants } from './issuer/grant.js';
import { openIssuer } from './issuer/issuer.js';
import { openIssuerDocuments } from './issuer-documents.js';

export interface TokenIssuerOptions {
  /**
   * Settings by the names of docs/configuration.md, the same as the service's. `process.env` will do. Tokens are signed
   * with JWT_SECRET where it is set, else with the keys of the embedded issuer in DATA_DIR.
   */
  readonly settings: Readonly<Record<string, string | undefined>>;
}

export interface TokenResponseRequest {
  /** The application that asks: `client_id`. 1 to 256 characters without control characters. */
  readonly clientId: string;
  /** Who the token stands for: `sub`. Default: the client itself. */
  readonly subject?: string;
  /** Lifetime in seconds, up to TOKEN_MAX_LIFETIME_SECONDS. Default 900, or that if it is less. */
  readonly expiresIn?: number;
  /**
   * What is granted: `['subscribe', 'publish']` on all topics, or `{ orders: ['subscribe'] }` on topics that match a
   * pattern. `subscribe` is short for `realtime:subscribe`.
   */
  readonly permissions: readonly string[] | TopicGrants;
  /** The workspace that the token is good for; this or `workspaces` must be given. */
  readonly workspace?: string;
  readonly workspaces?: readonly string[];
}

/** What an application's own endpoint answers with. */
export interface TokenResponse {
  readonly token: string;
  /** RFC 3339 */
  readonly expiresAt: string;
}

/** Makes tokens for an application that has said to itself who its caller is. */
export interface TokenIssuer {
  /** @throws SluiceError INVALID_REQUEST naming what cannot stand, UNAVAILABLE if the keys cannot be used right now. */
  generateTokenResponse(request: TokenResponseRequest): Promise<TokenResponse>;
  /** Lets go of Redis, where REDIS_URL is set; without it there is nothing to let go of. */
  close(): Promise<void>;
}

interface Signer {
  sign(request: TokenRequest): IssuedToken;
  close(): Promise<void>;
}

const DEFAULT_LIFETIME_SECONDS = 900;

/**
 * Makes access tokens for Sluice within an application, also beside a service that runs on the same DATA_DIR.
 * @throws TypeError without settings, or where tokens come from an identity provider; ConfigError naming every setting
 *   that cannot stand.
 */
export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  if (options?.settings === undefined) throw new TypeError('"settings" must be given');
  const config = readGivenConfig(options.settings);
  const { maxLifetimeSeconds } = config.tokens;
  const open = signerOf(config);
  let signing: Promise<Signer> | null = null;

  return {
    async generateTokenResponse(request) {
      const asked = readRequest(request, maxLifetimeSeconds);
      signing ??= open();
      const signer = await signing.catch((cause: unknown) => {
        // What is repaired shall count with the next call.
        signing = null;
        throw new SluiceError('UNAVAILABLE', undefined, {
          cause,
          retryAfterMs: spreadRetryMs(5_000),
        });
      });
      const { token, expiresAt } = signer.sign(asked);
      return { token, expiresAt: expiresAt.toISOString() };
    },

    async close() {
      const closing = signing;
      signing = null;
      await closing?.then(
        (signer) => signer.close(),
        () => {},
      );
    },
  };
}

/** How tokens are signed under these settings. */
function signerOf(config: Config): () => Promise<Signer> {
  const { issuer: embedded, tokens } = config;
  const { workspaceClaim } = tokens;
  const [trusted] = tokens.trustedIssuers;
  if (embedded === null && trusted?.keys.kind === 'secret') {
    return signerBySecret(trusted, trusted.keys.secret, workspaceClaim);
  }
  if (embedded === null) {
    throw new TypeError(
      '"settings" name an identity provider, which makes the tokens; with JWT_SECRET, or with the embedded issuer, they can be made here',
    );
  }
  return signerByKeys(config, embedded);
}

function signerByKeys(config: Config, { issuer, audience }: EmbeddedIssuer): () => Promise<Signer> {
  const { dataDir, tokens } = config;
  const { workspaceClaim } = tokens;
  return async () => {
    const { documents, close } = await openIssuerDocuments(config);
    try {
      const opened = await openIssuer({ dataDir, documents, issuer, audience, workspaceClaim });
      return { sign: (request) => opened.issueToken(request), close };
    } catch (error) {
      await close();
      throw error;
    }
  };
}

function signerBySecret(
  { issuer, audience }: TrustedIssuer,
  secret: string,
  workspaceClaim: string,
): () => Promise<Signer> {
  const terms = { issuer, audience, workspaceClaim };
  const signer = {
    key: createSecretKey(secret, 'utf8'),
    algorithm: 'HS256' as const,
    // There is one secret, so it needs no name.
    keyId: null,
  };
  try {
    checkWorkspaceClaim(terms);
  } catch (cause) {
    throw new TypeError('"settings": WORKSPACE_CLAIM names a claim that tokens have already', {
      cause,
    });
  }
  return async () => ({
    sign: (request) => signAccessToken(request, terms, signer),
    close: async () => {},
  });
}

function readRequest(request: TokenResponseRequest, maxLifetimeSeconds: number): TokenRequest {
  if (typeof request !== 'object' || request === null) throw invalid('the request is no object');
  const { clientId, subject = clientId } = request;
  const { expiresIn = Math.min(DEFAULT_LIFETIME_SECONDS, maxLifetimeSeconds) } = request;
  if (typeof clientId !== 'string') throw invalid('clientId is not a text');
  if (!Number.isSafeInteger(expiresIn) || expiresIn < 1 || expiresIn > maxLifetimeSeconds) {
    throw invalid(
      `expiresIn is not a whole number of seconds from 1 to ${maxLifetimeSeconds} (TOKEN_MAX_LIFETIME_SECONDS)`,
    );
  }
  return {
    subject,
    clientId,
    workspaces: readWorkspaces(request),
    permissions: readPermissions(request.permissions),
    lifetimeSeconds: expiresIn,
  };
}

function readWorkspaces({ workspace, workspaces }: TokenResponseRequest): readonly string[] {
  if ((workspace === undefined) === (workspaces === undefined)) {
    throw invalid('either workspace or workspaces must be given');
  }
  return workspaces ?? [workspace as string];
}

/** With full names for short ones. What is no name stays as it is, and is refused with the rest. */
function readPermissions(permissions: unknown): readonly string[] | TopicGrants {
  if (Array.isArray(permissions)) return permissions.map(fullName);
  if (typeof permissions !== 'object' || permissions === null) {
    throw invalid('permissions is neither a list nor an object of topic patterns');
  }
  const entries = Object.entries(permissions).map(
    ([pattern, names]) => [pattern, Array.isArray(names) ? names.map(fullName) : names] as const,
  );
  return Object.fromEntries(entries);
}

function fullName(name: unknown): string {
  return permissionOf(name) ?? (typeof name === 'string' ? name : '');
}

function invalid(fault: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', fault);
}
