import { join } from 'node:path';
import { Router } from 'express';
import type { Config, KeySource } from './config.js';
import { SluiceError } from './errors.js';
import { Admissions } from './gate/admission/admissions.js';
import { CountedVerifier } from './gate/admission/counted-verifier.js';
import { MemoryStreamTokenStore } from './gate/admission/memory-stream-token-store.js';
import { RedisSharedPlaces } from './gate/admission/redis-shared-places.js';
import { RedisStreamTokenStore } from './gate/admission/redis-stream-token-store.js';
import { createStreamTokens } from './gate/admission/stream-tokens.js';
import { WindowedFailedAttempts } from './gate/admission/windowed-failed-attempts.js';
import { Gate } from './gate/gate.js';
import { AuthzenPermissionChecker } from './gate/permission/authzen-permission-checker.js';
import { CasbinPermissionChecker } from './gate/permission/casbin-permission-checker.js';
import { claimsPermissionChecker } from './gate/permission/claims-permission-checker.js';
import {
  type DecidePermission,
  functionPermissionChecker,
} from './gate/permission/function-permission-checker.js';
import type { PermissionChecker } from './gate/permission/permission-checker.js';
import { Permissions } from './gate/permission/permissions.js';
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
import { createIssuerRoutes } from './http/issuer-routes.js';
import { createRealtimeRoutes } from './http/realtime-routes.js';
import { Hub } from './hub/hub.js';
import { type ClientStore, openClientStore } from './issuer/client-store.js';
import { type Issuer, type IssuerOptions, openIssuer } from './issuer/issuer.js';
import { openIssuerDocuments } from './issuer-documents.js';
import type { EventLog } from './log/event-log.js';
import { openLmdbEventLog } from './log/lmdb-event-log.js';
import { Publisher } from './log/publisher.js';
import { RedisEventLog } from './log/redis-event-log.js';
import { openAuditLog } from './ops/audit-log.js';
import { describeError, type Log } from './ops/log.js';
import { OpenedParts } from './ops/opened-parts.js';
import { Refusals } from './ops/refusals.js';
import type { Vitals } from './ops/vitals.js';
import { openRedis } from './redis/open-redis.js';
import type { Redis } from './redis/redis.js';

/** How long the tokens of the embedded issuer live, where the rules for tokens allow it. */
const TOKEN_LIFETIME_SECONDS = 900;

/** What an application may put in the place of a part of the service. */
export interface Substitutes {
  /** Default: what the settings say. */
  readonly permissionChecker?: PermissionChecker | DecidePermission | undefined;
}

/** The parts of a running service, put together. */
export interface Service {
  readonly routes: Router;
  readonly hub: Hub;
  readonly publisher: Publisher;
  readonly refusals: Refusals;
  readonly vitals: Vitals;
  /** Gives the places of its streams back, which are about to move to other nodes. Nobody is let in afterwards. */
  leave(): Promise<void>;
  /** Lets go of the data folder. */
  close(): Promise<void>;
}

/** The one place where adapters are chosen. @throws Error if the data folder cannot be used. */
export async function compose(
  config: Config,
  log: Log,
  substitutes: Substitutes = {},
): Promise<Service> {
  const opened = new OpenedParts();
  const redis = await openRedisOf(config, opened, log);
  const issuing = await openIssuerOf(config, redis, opened, log);
  const issuer = issuing?.issuer ?? null;
  const clients = issuing?.clients ?? null;
  const audit = await opened.add(openAuditLog(config.auditLog, log));
  const checker = await permissionCheckerOf(config, substitutes, opened, log);
  // Before the log: after a break what was revoked meanwhile is known before the streams go on.
  const sharedRevocations = redis === null ? null : sharedRevocationsOf(redis, log);
  const eventLog = await opened.add(openEventLog(config, redis));
  const permissions = new Permissions(checker, audit);
  // After the log, whose folder keeps other processes away from both.
  const revocations = await opened.add(openRevocations(config, sharedRevocations));
  const streamTokens = createStreamTokens(
    redis === null ? new MemoryStreamTokenStore() : new RedisStreamTokenStore(redis),
  );
  const failedAttempts = new WindowedFailedAttempts({
    maxPerMinute: config.admission.maxFailedAttemptsPerMinute,
  });
  const issuers = issuerKeysOf(config, issuer, log);
  const verifier = new JwtTokenVerifier(issuers, config.tokens);
  const tokens = new CountedVerifier(verifier, failedAttempts);
  const gate = new Gate({
    tokens,
    permissions,
    revocations,
    streamTokens,
    queryTokens: config.queryTokens,
    clockToleranceSeconds: config.tokens.clockToleranceSeconds,
  });
  const sharedPlaces =
    redis === null
      ? null
      : await opened.add(RedisSharedPlaces.open({ redis, limits: config.admission }));
  const admissions = new Admissions({
    limits: config.admission,
    recheck: config.recheck,
    permissions,
    revocations,
    sharedPlaces,
    onFailure: (error) =>
      log.warn(
        { cause: describeError(error) },
        'the permission of open streams cannot be asked for',
      ),
  });
  const hub = new Hub(eventLog, config.stream);
  const publisher = new Publisher(eventLog, config.publish);

  const refusals = new Refusals();
  // Last, when all else is restored.
  redis?.onRestored(async () => log.info({}, 'Redis can be reached again'));

  const routes = Router({ caseSensitive: true, strict: true });
  routes.use(
    createRealtimeRoutes({
      gate,
      admissions,
      streamTokens,
      revocations,
      audit,
      hub,
      publisher,
      refusals,
      log,
      config,
    }),
  );
  const embedded = config.issuer;
  if (embedded !== null && issuer !== null && clients !== null) {
    const { maxLifetimeSeconds } = config.tokens;
    routes.use(
      createIssuerRoutes({
        issuer,
        issuerName: embedded.issuer,
        allowedOrigins: config.allowedOrigins,
        isExposed: embedded.isExposed,
        clients,
        tokens,
        revocations,
        failedAttempts,
        lifetimeSeconds: Math.min(TOKEN_LIFETIME_SECONDS, maxLifetimeSeconds),
        maxLifetimeSeconds,
        refusals,
        log,
      }),
    );
  }

  return {
    routes,
    hub,
    publisher,
    refusals,
    vitals: {
      hub,
      eventLog,
      publisher,
      redis,
      refusals: refusals.counts,
      areKeysKnown: () => issuers.some(({ keys }) => keys.isKnown()),
    },
    leave: async () => sharedPlaces?.close(),
    close: async () => {
      admissions.close();
      hub.close();
      await opened.close();
    },
  };
}

async function permissionCheckerOf(
  { permissions: source }: Config,
  { permissionChecker: own }: Substitutes,
  opened: OpenedParts,
  log: Log,
): Promise<PermissionChecker> {
  if (own !== undefined) return typeof own === 'function' ? functionPermissionChecker(own) : own;
  switch (source.kind) {
    case 'claims':
      return claimsPermissionChecker;
    case 'authzen':
      return new AuthzenPermissionChecker(source);
    case 'policy-file': {
      const onFailure = (error: Error) =>
        log.error({ cause: describeError(error) }, 'the policy file stands as it was before');
      return opened.add(CasbinPermissionChecker.open({ path: source.path, onFailure }));
    }
  }
}

async function openRedisOf(
  { redis: settings }: Config,
  opened: OpenedParts,
  log: Log,
): Promise<Redis | null> {
  if (settings === null) return null;
  const onFailure = (error: unknown) => {
    const reason = error instanceof SluiceError ? error.cause : error;
    log.warn({ cause: describeError(reason) }, 'Redis cannot be reached');
  };
  const onWarning = (warning: string) => log.warn({}, warning);
  return opened.add(openRedis({ settings, onFailure, onWarning }));
}

async function openEventLog(
  { dataDir, retention, redis: settings }: Config,
  redis: Redis | null,
): Promise<EventLog> {
  if (settings === null || redis === null) return openLmdbEventLog(join(dataDir, 'log'), retention);
  return new RedisEventLog({ redis, retention, isDurable: settings.isDurable });
}

async function openIssuerOf(
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

function sharedRevocationsOf(redis: Redis, log: Log): RevocationStore {
  const onFailure = (error: unknown) =>
    log.error({ cause: describeError(error) }, 'what lies among the revocations in Redis is none');
  return new RedisRevocationStore({ redis, onFailure });
}

async function openRevocations(
  { dataDir, tokens }: Config,
  shared: RevocationStore | null,
): Promise<RevocationList> {
  const store = shared ?? openLmdbRevocationStore(join(dataDir, 'revocations'));
  return RevocationList.open(store, { tokens });
}

function issuerKeysOf({ tokens }: Config, embedded: Issuer | null, log: Log): IssuerKeys[] {
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
