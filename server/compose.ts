import { join } from 'node:path';
import { Router } from 'express';
import type { Config, KeySource } from './config.js';
import { Admissions } from './gate/admission/admissions.js';
import { CountedVerifier } from './gate/admission/counted-verifier.js';
import { MemoryStreamTokenStore } from './gate/admission/memory-stream-token-store.js';
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
import { RevocationList } from './gate/revocation/revocation-list.js';
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
import { openClientStore } from './issuer/client-store.js';
import { type Issuer, openIssuer } from './issuer/issuer.js';
import { openLmdbEventLog } from './log/lmdb-event-log.js';
import { Publisher } from './log/publisher.js';
import { openAuditLog } from './ops/audit-log.js';
import { describeError, type Log } from './ops/log.js';
import { OpenedParts } from './ops/opened-parts.js';

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
  /** Lets go of the data folder. */
  close(): Promise<void>;
}

/** The one place where adapters are chosen. @throws Error if the data folder cannot be used. */
export async function compose(
  config: Config,
  log: Log,
  substitutes: Substitutes = {},
): Promise<Service> {
  const issuer = await openIssuerOf(config, log);
  const clients = config.issuer === null ? null : await openClientStore(config);
  // Last, since these are what must be let go of again.
  const opened = new OpenedParts();
  const audit = await opened.add(openAuditLog(config.auditLog, log));
  const checker = await permissionCheckerOf(config, substitutes, opened, log);
  const eventLog = await opened.add(
    openLmdbEventLog(join(config.dataDir, 'log'), config.retention),
  );
  const permissions = new Permissions(checker, audit);
  // After the log, whose folder keeps other processes away from both.
  const revocations = await opened.add(openRevocations(config));
  const streamTokens = createStreamTokens(new MemoryStreamTokenStore());
  const failedAttempts = new WindowedFailedAttempts({
    maxPerMinute: config.admission.maxFailedAttemptsPerMinute,
  });
  const verifier = new JwtTokenVerifier(issuerKeysOf(config, issuer, log), config.tokens);
  const tokens = new CountedVerifier(verifier, failedAttempts);
  const gate = new Gate({
    tokens,
    permissions,
    revocations,
    streamTokens,
    queryTokens: config.queryTokens,
    clockToleranceSeconds: config.tokens.clockToleranceSeconds,
  });
  const admissions = new Admissions({
    limits: config.admission,
    recheck: config.recheck,
    permissions,
    revocations,
    onFailure: (error) =>
      log.warn(
        { cause: describeError(error) },
        'the permission of open streams cannot be asked for',
      ),
  });
  const hub = new Hub(eventLog, config.stream);
  const publisher = new Publisher(eventLog, config.publish);

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
        log,
      }),
    );
  }

  return {
    routes,
    hub,
    publisher,
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

async function openIssuerOf(
  { dataDir, issuer: embedded, tokens }: Config,
  log: Log,
): Promise<Issuer | null> {
  if (embedded === null) return null;
  const { issuer, audience } = embedded;
  const { workspaceClaim } = tokens;
  const onFailure = (error: unknown) =>
    log.error({ cause: describeError(error) }, 'the keys of the issuer stay as they were before');
  return openIssuer({ dataDir, issuer, audience, workspaceClaim, onFailure });
}

async function openRevocations({ dataDir, tokens }: Config): Promise<RevocationList> {
  return RevocationList.open(openLmdbRevocationStore(join(dataDir, 'revocations')), { tokens });
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
