import type { Router } from 'express';
import {
  authzenOf,
  issuerKeysOf,
  openEventLog,
  openIssuerOf,
  openRedisOf,
  openRevocations,
  openSharedPlaces,
  permissionCheckerOf,
  type Substitutes,
  sharedRevocationsOf,
  streamTokenStoreOf,
  tokenVerifierOf,
} from './adapters.js';
import type { Config } from './config.js';
import { Admissions } from './gate/admission/admissions.js';
import { CountedVerifier } from './gate/admission/counted-verifier.js';
import { createStreamTokens } from './gate/admission/stream-tokens.js';
import { WindowedFailedAttempts } from './gate/admission/windowed-failed-attempts.js';
import { Gate } from './gate/gate.js';
import { Permissions } from './gate/permission/permissions.js';
import { createIssuerRoutes } from './http/issuer-routes.js';
import { createRealtimeRoutes } from './http/realtime-routes.js';
import { Hub } from './hub/hub.js';
import { Publisher } from './log/publisher.js';
import { type AuditLog, openAuditLog } from './ops/audit-log.js';
import { describeError } from './ops/describe-error.js';
import type { Log } from './ops/log.js';
import { OpenedParts } from './ops/opened-parts.js';
import { Refusals } from './ops/refusals.js';
import { StepTimes } from './ops/step-times.js';
import { tracedSteps } from './ops/traced-steps.js';
import type { Vitals } from './ops/vitals.js';

/** How long the tokens of the embedded issuer live, where the rules for tokens allow it. */
const TOKEN_LIFETIME_SECONDS = 900;

/** The parts of a running service, put together. */
export interface Service {
  readonly routes: Router;
  readonly hub: Hub;
  readonly publisher: Publisher;
  readonly refusals: Refusals;
  readonly vitals: Vitals;
  readonly audit: AuditLog;
  /** Gives the places of its streams back, which are about to move to other nodes. Nobody is let in afterwards. */
  leave(): Promise<void>;
  /** Lets go of the data folder. */
  close(): Promise<void>;
}

/** Puts the parts together. @throws Error if the data folder cannot be used. */
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
  const streamTokens = createStreamTokens(streamTokenStoreOf(redis));
  const failedAttempts = new WindowedFailedAttempts({
    maxPerMinute: config.admission.maxFailedAttemptsPerMinute,
  });
  const issuers = issuerKeysOf(config, issuer, log);
  const tokens = new CountedVerifier(tokenVerifierOf(config, issuers), failedAttempts);
  const stepTimes = new StepTimes();
  const steps = tracedSteps(stepTimes);
  const gate = new Gate({
    tokens,
    permissions,
    revocations,
    streamTokens,
    queryTokens: config.queryTokens,
    clockToleranceSeconds: config.tokens.clockToleranceSeconds,
    steps,
  });
  const sharedPlaces = await openSharedPlaces(config, redis, opened);
  const admissions = new Admissions({
    limits: config.admission,
    recheck: config.recheck,
    permissions,
    revocations,
    sharedPlaces,
    steps,
    onFailure: (error) =>
      log.warn(
        { cause: describeError(error) },
        'the permission of open streams cannot be asked for',
      ),
  });
  const hub = new Hub(eventLog, config.stream, config.metricsWorkspaces);
  const publisher = new Publisher(eventLog, config.publish, config.metricsWorkspaces);

  const refusals = new Refusals();
  // Last, when all else is restored.
  redis?.onRestored(async () => log.info({}, 'Redis can be reached again'));

  const routes = createRealtimeRoutes({
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
  });
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
      }),
    );
  }

  return {
    routes,
    hub,
    publisher,
    refusals,
    audit,
    vitals: {
      hub,
      eventLog,
      publisher,
      redis,
      refusals: refusals.counts,
      areKeysKnown: () => issuers.some(({ keys }) => keys.isKnown()),
      gate: {
        steps: stepTimes,
        issuers,
        permissions,
        authzen: authzenOf(config, checker),
        admissions,
        revocations,
      },
      maxStreams: config.admission.maxStreams,
      log,
      audit,
    },
    leave: async () => sharedPlaces?.close(),
    close: async () => {
      admissions.close();
      hub.close();
      await opened.close();
    },
  };
}
