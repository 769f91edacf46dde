import { join } from 'node:path';
import { type Config, type KeySource, placesOf } from './config.js';
import { SluiceError } from './errors.js';
import { MemoryStreamTokenStore } from './gate/admission/memory-stream-token-store.js';
import { RedisSharedPlaces } from './gate/admission/redis-shared-places.js';
import { RedisStreamTokenStore } from './gate/admission/redis-stream-token-store.js';
import type { SharedPlaces } from './gate/admission/shared-places.js';
import type { StreamTokenStore } from './gate/admission/stream-token-store.js';
import type { AuthzenPermissionChecker } from './gate/permission/authzen-permission-checker.js';
import { claimsPermissionChecker } from './gate/permission/claims-permission-checker.js';
import {
  type DecidePermission,
  functionPermissionChecker,
} from './gate/permission/function-permission-checker.js';
import type { PermissionChecker } from './gate/permission/permission-checker.js';
import { openLmdbRevocationStore } from './gate/revocation/lmdb-revocation-store.js';
import { RedisRevocationStore } from './gate/revocation/redis-revocation-store.js';
import { RevocationList } from './gate/revocation/revocation-list.js';
import type { RevocationStore } from './gate/revocation/revocation-store.js';
import { discoverJwks } from './gate/token/discover-jwks.js';
import { fetchJwks } from './gate/token/fetch-jwks.js';
import { JwksKeySet } from './gate/token/jwks-key-set.js';
import { type IssuerKeys, JwtTokenVerifier } from './gate/token/jwt-token-verifier.js';
import type { KeySet } from './gate/token/key-set.js';
import { LocalKeySet } from './gate/token/local-key-set.js';
import { SecretKeySet } from './gate/token/secret-key-set.js';
import type { TokenVerifier } from './gate/token/token-verifier.js';
import { type ClientStore, openClientStore } from './issuer/client-store.js';
import { type Issuer, type IssuerOptions, openIssuer } from './issuer/issuer.js';
import { openIssuerDocuments } from './issuer-documents.js';
import type { EventLog } from './log/event-log.js';
import { openLmdbEventLog } from './log/lmdb-event-log.js';
import { RedisEventLog } from './log/redis-event-log.js';
import { describeError } from './ops/describe-error.js';
import type { Log } from './ops/log.js';
import type { OpenedParts } from './ops/opened-parts.js';
import { isFinal } from './redis/failures.js';
import type { Redis } from './redis/redis.js';

// The one place where adapters are chosen: what each part of the service is made of, as the settings say. What brings a large
// package with it, and most services do without, is loaded where it is chosen.

/** What an application may put in the place of a part of the service. */
export interface Substitutes {
  /** Default: what the settings say. */
  readonly permissionChecker?: PermissionChecker | DecidePermission | undefined;
}

export async function permissionCheckerOf(
  { permissions: source }: Config,
  { permissionChecker: own }: Substitutes,
  opened: OpenedParts,
  log: Log,
): Promise<PermissionChecker> {
  if (own !== undefined) return typeof own === 'function' ? functionPermissionChecker(own) : own;
  switch (source.kind) {
    case 'claims':
      return claimsPermissionChecker;
    case 'authzen': {
      const authzen = await import('./gate/permission/authzen-permission-checker.js');
      return new authzen.AuthzenPermissionChecker(source);
    }
    case 'policy-file': {
      const { CasbinPermissionChecker } = await import(
        './gate/permission/casbin-permission-checker.js'
      );
      const onFailure = (error: Error) =>
        log.error({ cause: describeError(error) }, 'the policy file stands as it was before');
      return opened.add(CasbinPermissionChecker.open({ path: source.path, onFailure }));
    }
  }
}

/** Tells how it goes to ask a decision point; `null` where none is asked. */
export function authzenOf(
  { permissions }: Config,
  checker: PermissionChecker,
): AuthzenPermissionChecker | null {
  // It is loaded where it is asked for alone; an application's own checker is given where the settings name none.
  return permissions.kind === 'authzen' ? (checker as AuthzenPermissionChecker) : null;
}

export async function openRedisOf(
  { redis: settings }: Config,
  opened: OpenedParts,
  log: Log,
): Promise<Redis | null> {
  if (settings === null) return null;
  const onFailure = (error: unknown) => {
    const reason = error instanceof SluiceError ? error.cause : error;
    const message = isFinal(reason) ? 'Redis refuses this service' : 'Redis cannot be reached';
    log.warn({ cause: describeError(reason) }, message);
  };
  const onWarning = (warning: string) => log.warn({}, warning);
  const { openRedis } = await import('./redis/open-redis.js');
  const onWaiting = (reason: string) =>
    log.warn({ at: placesOf(settings.address), reason }, 'looking for Redis');
  return opened.add(openRedis({ settings, onFailure, onWarning, onWaiting }));
}

export async function openEventLog(
  { dataDir, retention, redis: settings }: Config,
  redis: Redis | null,
): Promise<EventLog> {
  if (settings === null || redis === null) return openLmdbEventLog(join(dataDir, 'log'), retention);
  return new RedisEventLog({ redis, retention, isDurable: settings.isDurable });
}

export async function openIssuerOf(
  config: Config,
  redis: Redis | null,
  opened: OpenedParts,
  log: Log,
): Promise<{ issuer: Issuer; clients: ClientStore } | null> {
  if (config.issuer === null) return null;
  const { issuer, audience, keySecret } = config.issuer;
  const { dataDir } = config;
  const { workspaceClaim } = config.tokens;
  if (redis !== null && keySecret === null) {
    log.warn(
      {},
      'whoever can read Redis can make tokens: set ISSUER_KEY_SECRET to encrypt the keys',
    );
  }
  const onFailure = (error: unknown) =>
    log.error({ cause: describeError(error) }, 'the keys of the issuer stay as they were before');
  const { documents } = await opened.add(openIssuerDocuments(config, redis));
  const options = { dataDir, documents, issuer, audience, workspaceClaim, onFailure };
  return opened.add(openIssuing(options));
}

async function openIssuing(options: IssuerOptions) {
  const [issuer, clients] = await Promise.all([openIssuer(options), openClientStore(options)]);
  return { issuer, clients, close: () => {} };
}

export function sharedRevocationsOf(redis: Redis, log: Log): RevocationStore {
  const onFailure = (error: unknown) =>
    log.error({ cause: describeError(error) }, 'what lies among the revocations in Redis is none');
  return new RedisRevocationStore({ redis, onFailure });
}

export async function openRevocations(
  { dataDir, tokens }: Config,
  shared: RevocationStore | null,
): Promise<RevocationList> {
  const store = shared ?? openLmdbRevocationStore(join(dataDir, 'revocations'));
  return RevocationList.open(store, { tokens });
}

export function streamTokenStoreOf(redis: Redis | null): StreamTokenStore {
  return redis === null ? new MemoryStreamTokenStore() : new RedisStreamTokenStore(redis);
}

/** What all nodes count together; `null` where there is one. */
export async function openSharedPlaces(
  { admission: limits }: Config,
  redis: Redis | null,
  opened: OpenedParts,
): Promise<SharedPlaces | null> {
  return redis === null ? null : opened.add(RedisSharedPlaces.open({ redis, limits }));
}

export function tokenVerifierOf({ tokens }: Config, issuers: readonly IssuerKeys[]): TokenVerifier {
  return new JwtTokenVerifier(issuers, tokens);
}

export function issuerKeysOf({ tokens }: Config, embedded: Issuer | null, log: Log): IssuerKeys[] {
  return tokens.trustedIssuers.map(({ issuer, audience, keys }) => ({
    issuer,
    audience,
    algorithms: keys.kind === 'secret' ? ['HS256'] : tokens.algorithms,
    keys: keySetOf(keys, issuer, embedded, log),
  }));
}

function keySetOf(source: KeySource, issuer: string, embedded: Issuer | null, log: Log): KeySet {
  switch (source.kind) {
    case 'jwks':
      return jwksKeySet(() => fetchJwks(source.uri), issuer, log);
    case 'discovery':
      return jwksKeySet(() => discoverJwks(issuer), issuer, log);
    case 'secret':
      return new SecretKeySet(source.secret);
    case 'embedded':
      if (embedded === null) throw new Error('the embedded issuer does not run');
      return new LocalKeySet(() => embedded.jwks());
  }
}

function jwksKeySet(fetch: () => Promise<{ keys: unknown }>, issuer: string, log: Log): KeySet {
  const keys = new JwksKeySet({
    fetch,
    onFailure: (error) =>
      log.warn({ issuer, cause: describeError(error) }, 'the keys of an issuer cannot be read'),
  });
  keys.prefetch();
  return keys;
}
