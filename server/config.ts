import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type {
  Config,
  EmbeddedIssuer,
  PermissionSource,
  TokenRules,
} from './config/config-parts.js';
import { refuseWithoutEffect, uselessSettings } from './config/conflicts.js';
import { readOpsSettings } from './config/ops-settings.js';
import { readRedisSettings } from './config/redis-settings.js';
import { readRetention } from './config/retention.js';
import type { Setting } from './config/setting.js';
import { isLoopback } from './config/setting-kinds.js';
import { type Environment, SettingReader, type SettingSource } from './config/setting-reader.js';
import { SETTINGS } from './config/settings.js';
import { readSecret, readTrustedIssuers, type TrustedIssuer } from './config/trusted-issuers.js';
import { readTrustedProxies } from './config/trusted-proxies.js';
import { likelySlips, unknownGivenNames, unknownOwnNames } from './config/unknown-names.js';
import { deepFreeze } from './deep-freeze.js';

export type {
  AdmissionLimits,
  Config,
  EmbeddedIssuer,
  PermissionSource,
  PublishLimits,
  QueryTokenRules,
  RecheckRules,
  StreamLimits,
  TokenRules,
} from './config/config-parts.js';
export type { OpsSettings } from './config/ops-settings.js';
export type { HostAndPort, RedisAddress, RedisSettings } from './config/redis-settings.js';
export { placesOf } from './config/redis-settings.js';
export type { Retention, RetentionRules } from './config/retention.js';
export type { SettingSource } from './config/setting-reader.js';
export type { LogLevel } from './config/settings/place.js';
export { ALGORITHMS, type Algorithm, EMBEDDED_ISSUER } from './config/settings/tokens.js';
export type { KeySource, TrustedIssuer } from './config/trusted-issuers.js';
export type { TrustedProxies } from './config/trusted-proxies.js';

/** The claims that the embedded issuer writes beside those that name workspaces. */
export const ISSUER_CLAIMS: readonly string[] =
  'iss sub aud iat exp nbf jti client_id permissions scope'.split(' ');

/** Every fault of a configuration at once. Values are not repeated: one of them may be a secret. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The configuration is not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** A setting as it counts. */
export interface SettingState {
  readonly name: string;
  readonly source: SettingSource;
  /** Whether no fault is about it. */
  readonly isValid: boolean;
  /** As it may be shown; `null` for a secret that is set, and for what is not valid. Empty: none. */
  readonly value: string | null;
}

/** What is to be said of settings before a service is started with them. */
export interface ConfigReport {
  /** `null` where there is a fault. */
  readonly config: Config | null;
  readonly faults: readonly string[];
  /** What can stand, and is likely not meant. */
  readonly warnings: readonly string[];
  readonly settings: readonly SettingState[];
}

/**
 * Reads the settings (docs/configuration.md) from the environment.
 * @throws ConfigError naming every setting that cannot stand.
 */
export function readConfig(env: Environment): Config {
  return expectConfig(inspectConfig(env));
}

/**
 * Reads the settings that an application gives. A name that is no setting cannot stand there, unless it comes from the
 * environment of the application, which may be handed over as a whole.
 * @throws ConfigError naming every setting that cannot stand.
 */
export function readGivenConfig(settings: Environment): Config {
  const report = inspectConfig(settings, 'application');
  const unknown = unknownGivenNames(settings, process.env);
  return expectConfig({ ...report, faults: [...unknown, ...report.faults] });
}

/**
 * Reads the settings, and tells of each where it comes from.
 * @param within the service is a process of its own, or within an application, which opens ports itself
 */
export function inspectConfig(
  env: Environment,
  within: 'process' | 'application' = 'process',
): ConfigReport {
  const read = new SettingReader(env);
  for (const fault of unknownOwnNames(env)) read.refuse(fault);
  const config = readParts(read);
  refuseContradictions(read, config);
  refuseWithoutEffect(read, config.tokens.trustedIssuers, within === 'process');
  const { faults } = read;
  return {
    config: faults.length > 0 ? null : deepFreeze(config),
    faults,
    warnings: [...likelySlips(env), ...read.warnings, ...uselessSettings(read)],
    settings: Object.values(SETTINGS).map((setting) => stateOf(read, setting)),
  };
}

/** @throws ConfigError */
export function expectConfig({ config, faults }: ConfigReport): Config {
  if (config === null || faults.length > 0) throw new ConfigError(faults);
  return config;
}

function readParts(read: SettingReader): Config {
  const trustedIssuers = readTrustedIssuers(read);
  const issuer = readEmbeddedIssuer(read, trustedIssuers);
  const port = read.value(SETTINGS.PORT);
  return {
    host: read.value(SETTINGS.HOST),
    port,
    dataDir: resolve(read.value(SETTINGS.DATA_DIR)),
    logLevel: read.value(SETTINGS.LOG_LEVEL),
    logsAddresses: read.value(SETTINGS.LOG_ADDRESSES),
    drainMs: read.value(SETTINGS.DRAIN_MS),
    ops: readOpsSettings(read, port),
    metricsWorkspaces: [...new Set(read.value(SETTINGS.METRICS_WORKSPACES))],
    allowedOrigins: read.value(SETTINGS.ALLOWED_ORIGINS),
    trustedProxies: readTrustedProxies(read),
    tokens: readTokenRules(read, trustedIssuers),
    queryTokens: {
      areAccepted: read.value(SETTINGS.QUERY_TOKENS),
      maxLifetimeSeconds: read.value(SETTINGS.QUERY_TOKEN_MAX_LIFETIME_SECONDS),
    },
    issuer,
    permissions: readPermissionSource(read),
    recheck: {
      intervalMs: read.value(SETTINGS.RECHECK_INTERVAL_MS),
      graceMs: read.value(SETTINGS.RECHECK_GRACE_MS),
    },
    admission: {
      maxStreams: read.value(SETTINGS.MAX_STREAMS),
      maxStreamsPerSubject: read.value(SETTINGS.MAX_STREAMS_PER_SUBJECT),
      maxStreamsPerWorkspace: read.value(SETTINGS.MAX_STREAMS_PER_WORKSPACE),
      maxStreamsPerAddress: read.value(SETTINGS.MAX_STREAMS_PER_ADDRESS),
      maxFailedAttemptsPerMinute: read.value(SETTINGS.MAX_FAILED_ATTEMPTS_PER_MINUTE),
      maxOpensPerSecond: read.value(SETTINGS.MAX_OPENS_PER_SECOND),
    },
    auditLog: read.value(SETTINGS.AUDIT_LOG),
    stream: {
      heartbeatMs: read.value(SETTINGS.HEARTBEAT_MS),
      retryMs: read.value(SETTINGS.RETRY_MS),
      maxBacklogBytes: read.value(SETTINGS.MAX_BACKLOG_BYTES),
      stallMs: read.value(SETTINGS.STALL_MS),
    },
    publish: {
      maxEventBytes: read.value(SETTINGS.MAX_EVENT_BYTES),
      maxBatch: read.value(SETTINGS.MAX_BATCH),
      maxBodyBytes: read.value(SETTINGS.MAX_BODY_BYTES),
    },
    retention: readRetention(read),
    redis: readRedisSettings(read),
  };
}

function readTokenRules(read: SettingReader, trustedIssuers: readonly TrustedIssuer[]): TokenRules {
  return {
    trustedIssuers,
    algorithms: read.value(SETTINGS.TOKEN_ALGORITHMS),
    requiresAccessTokenType: read.value(SETTINGS.TOKEN_TYPE) === 'at+jwt',
    workspaceClaim: read.value(SETTINGS.WORKSPACE_CLAIM),
    clockToleranceSeconds: read.value(SETTINGS.CLOCK_TOLERANCE_SECONDS),
    maxLifetimeSeconds: read.value(SETTINGS.TOKEN_MAX_LIFETIME_SECONDS),
  };
}

function readEmbeddedIssuer(
  read: SettingReader,
  trusted: readonly TrustedIssuer[],
): EmbeddedIssuer | null {
  const isExposed = read.value(SETTINGS.ISSUER_EXPOSED);
  const isEncrypted = read.isSet(SETTINGS.ISSUER_KEY_SECRET);
  const keySecret = isEncrypted ? readSecret(read, SETTINGS.ISSUER_KEY_SECRET) : null;
  const embedded = trusted.find(({ keys }) => keys.kind === 'embedded');
  if (embedded === undefined) return null;
  return { issuer: embedded.issuer, audience: embedded.audience, isExposed, keySecret };
}

function readPermissionSource(read: SettingReader): PermissionSource {
  const url = read.value(SETTINGS.AUTHZEN_URL);
  const path = read.value(SETTINGS.POLICY_FILE);
  const token = read.value(SETTINGS.AUTHZEN_TOKEN) || null;
  const deadlineMs = read.value(SETTINGS.AUTHZEN_DEADLINE_MS);
  const cacheMs = read.value(SETTINGS.AUTHZEN_CACHE_MS);
  if (read.isSet(SETTINGS.AUTHZEN_URL) && path !== '') {
    read.refuse('POLICY_FILE is set beside AUTHZEN_URL: permissions come from one or the other');
  }
  if (url !== null) return { kind: 'authzen', url, token, deadlineMs, cacheMs };
  return path === '' ? { kind: 'claims' } : { kind: 'policy-file', path: resolve(path) };
}

/** What cannot be meant together. */
function refuseContradictions(read: SettingReader, config: Config): void {
  const { host, issuer, publish, stream } = config;
  const { workspaceClaim } = config.tokens;
  const writtenClaims = [workspaceClaim, `${workspaceClaim}s`];
  if (issuer !== null && writtenClaims.some((claim) => ISSUER_CLAIMS.includes(claim))) {
    read.refuse(
      'WORKSPACE_CLAIM names a claim that the embedded issuer (ISSUER_ENABLED) writes itself',
    );
  }
  if (issuer !== null && !isLoopback(host) && !issuer.isExposed) {
    read.refuse(
      'HOST is not a loopback address while the embedded issuer runs; set TOKEN_ISSUER and TOKEN_AUDIENCE to use an identity provider, or ISSUER_EXPOSED=true to offer the issuer to the network',
    );
  }
  if (publish.maxEventBytes > publish.maxBodyBytes) {
    read.refuse('MAX_EVENT_BYTES is above MAX_BODY_BYTES: no such event could be published');
  }
  if (publish.maxEventBytes > stream.maxBacklogBytes) {
    read.refuse('MAX_EVENT_BYTES is above MAX_BACKLOG_BYTES: one such event could end a stream');
  }
}

function stateOf(read: SettingReader, setting: Setting): SettingState {
  const { name } = setting;
  const text = read.usedText(setting);
  const isValid = !read.isFaulty(setting);
  const isHidden = !isValid || (setting.isSecret && read.isSet(setting));
  return {
    name,
    source: read.sourceOf(setting),
    isValid,
    value: isHidden ? null : text === '' ? '' : setting.show(text),
  };
}

/** The address the service is reached at from this machine. */
export function localUrl(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
