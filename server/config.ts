import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type OpsSettings, readOpsSettings } from './config/ops-settings.js';
import { type RedisSettings, readRedisSettings } from './config/redis-settings.js';
import { type RetentionRules, readRetention } from './config/retention.js';
import { isLoopback, SettingReader } from './config/setting-reader.js';
import { readSecret, readTrustedIssuers, type TrustedIssuer } from './config/trusted-issuers.js';
import { readTrustedProxies, type TrustedProxies } from './config/trusted-proxies.js';
import { deepFreeze } from './deep-freeze.js';

export type { OpsSettings } from './config/ops-settings.js';
export type { HostAndPort, RedisAddress, RedisSettings } from './config/redis-settings.js';
export { placesOf } from './config/redis-settings.js';
export type { Retention, RetentionRules } from './config/retention.js';
export { EMBEDDED_ISSUER, type KeySource, type TrustedIssuer } from './config/trusted-issuers.js';
export type { TrustedProxies } from './config/trusted-proxies.js';

/** Of keys that verify but cannot sign; HS256 is for a shared secret alone. Ed25519 has two names (RFC 8037, RFC 9864). */
export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The claims that the embedded issuer writes beside those that name workspaces. */
export const ISSUER_CLAIMS: readonly string[] =
  'iss sub aud iat exp nbf jti client_id permissions scope'.split(' ');

/** Which tokens are accepted. */
export interface TokenRules {
  /** At least one; keys and audience belong to their issuer alone. */
  readonly trustedIssuers: readonly TrustedIssuer[];
  readonly algorithms: readonly Algorithm[];
  /** Whether `typ` must be `at+jwt` (RFC 9068, section 4). */
  readonly requiresAccessTokenType: boolean;
  /** The claim that names one workspace; its plural (with an `s`) lists several. */
  readonly workspaceClaim: string;
  readonly clockToleranceSeconds: number;
  /** Furthest that `exp` may lie ahead, which also unmasks an `exp` in milliseconds. */
  readonly maxLifetimeSeconds: number;
}

/** Tokens in the address of a request (`access_token`), which proxies and browsers keep. */
export interface QueryTokenRules {
  readonly areAccepted: boolean;
  /** Longest life of such a token; `null`: as long as any other. */
  readonly maxLifetimeSeconds: number | null;
}

/** Who decides what a principal may do. */
export type PermissionSource =
  /** The token itself. */
  | { readonly kind: 'claims' }
  /** A policy decision point that speaks the OpenID Authorization API. */
  | {
      readonly kind: 'authzen';
      readonly url: string;
      /** Sent to it as a Bearer token; `null`: none. */
      readonly token: string | null;
      readonly deadlineMs: number;
      /** How long a decision may be used again; 0: not at all. */
      readonly cacheMs: number;
    }
  | { readonly kind: 'policy-file'; readonly path: string };

/** How the permission of an open stream is asked for again. */
export interface RecheckRules {
  readonly intervalMs: number;
  /** How long a stream may stay open while the checker cannot be asked. */
  readonly graceMs: number;
}

/** How many streams may be open at once, and how many attempts may fail. `null`: no bound of its own. */
export interface AdmissionLimits {
  readonly maxStreams: number;
  readonly maxStreamsPerSubject: number | null;
  readonly maxStreamsPerWorkspace: number | null;
  readonly maxStreamsPerAddress: number | null;
  readonly maxFailedAttemptsPerMinute: number | null;
  /** How many streams a second may be opened. */
  readonly maxOpensPerSecond: number | null;
}

/** How much one publish may hold. */
export interface PublishLimits {
  readonly maxEventBytes: number;
  readonly maxBatch: number;
  readonly maxBodyBytes: number;
}

/** How streams behave and what they may cost. */
export interface StreamLimits {
  readonly heartbeatMs: number;
  /** Mean delay a native EventSource is told to wait before it connects anew; each stream gets its own around it. */
  readonly retryMs: number;
  /** Bytes that may wait for one stream before it is cut with SLOW_CONSUMER. */
  readonly maxBacklogBytes: number;
  /** How long a socket may take nothing while bytes wait for it, before it is cut with SLOW_CONSUMER. */
  readonly stallMs: number;
}

/** The issuer within the service. */
export interface EmbeddedIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** Whether it answers others than this machine. */
  readonly isExposed: boolean;
  /** What its keys and clients are encrypted with in Redis; `null`: they are not. */
  readonly keySecret: string | null;
}

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  /** The time over which the clients of open streams come back, to other nodes or this one, when it goes down. */
  readonly drainMs: number;
  /** `null`: no port is opened for operators. */
  readonly ops: OpsSettings | null;
  /** Origins whose pages may read the service's answers (CORS), compared exactly. */
  readonly allowedOrigins: readonly string[];
  /** Proxies whose word on the client's address is taken. */
  readonly trustedProxies: TrustedProxies;
  readonly tokens: TokenRules;
  readonly queryTokens: QueryTokenRules;
  /** The embedded issuer; `null` where it does not run. */
  readonly issuer: EmbeddedIssuer | null;
  readonly permissions: PermissionSource;
  readonly recheck: RecheckRules;
  readonly admission: AdmissionLimits;
  /** Where decisions and revocations are told of: a file, standard error (`stderr`), or nowhere (`off`). */
  readonly auditLog: string;
  readonly stream: StreamLimits;
  readonly publish: PublishLimits;
  readonly retention: RetentionRules;
  /** What nodes share; `null`: there is one node, and all is in its data folder. */
  readonly redis: RedisSettings | null;
}

/** Every fault of a configuration at once. Values are not repeated: one of them may be a secret. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The configuration is not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings (docs/configuration.md) from the environment.
 * @throws ConfigError naming every setting that cannot stand.
 */
export function readConfig(env: Environment): Config {
  const faults: string[] = [];
  const read = new SettingReader(env, faults);
  const trustedIssuers = readTrustedIssuers(read);
  const issuer = readEmbeddedIssuer(read, trustedIssuers);
  const host = read.text('HOST', '127.0.0.1');
  const port = read.integer('PORT', 3000, 0, 65_535);
  const redis = readRedisSettings(read);
  const workspaceClaim = read.claimName('WORKSPACE_CLAIM', 'workspace');
  const writtenClaims = [workspaceClaim, `${workspaceClaim}s`];
  if (issuer !== null && writtenClaims.some((claim) => ISSUER_CLAIMS.includes(claim))) {
    faults.push('WORKSPACE_CLAIM names a claim that the embedded issuer writes itself');
  }
  if (issuer !== null && !isLoopback(host) && !issuer.isExposed) {
    faults.push(
      'HOST is not a loopback address while the embedded issuer runs; set TOKEN_ISSUER and TOKEN_AUDIENCE to use an identity provider, or ISSUER_EXPOSED=true to offer the issuer to the network',
    );
  }

  const config: Config = {
    host,
    port,
    dataDir: resolve(read.text('DATA_DIR', './data')),
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    drainMs: read.integer('DRAIN_MS', redis === null ? 3_000 : 10_000, 0, 600_000),
    ops: readOpsSettings(read, port),
    allowedOrigins: read.origins('ALLOWED_ORIGINS'),
    trustedProxies: readTrustedProxies(read),
    tokens: {
      trustedIssuers,
      algorithms: read.listOf('TOKEN_ALGORITHMS', ALGORITHMS),
      requiresAccessTokenType: read.oneOf('TOKEN_TYPE', ['jwt', 'at+jwt'], 'jwt') === 'at+jwt',
      workspaceClaim,
      clockToleranceSeconds: read.integer('CLOCK_TOLERANCE_SECONDS', 5, 0, 300),
      maxLifetimeSeconds: read.integer('TOKEN_MAX_LIFETIME_SECONDS', 86_400, 60, 31_536_000),
    },
    queryTokens: {
      areAccepted: read.flag('QUERY_TOKENS', true),
      maxLifetimeSeconds: read.optionalInteger('QUERY_TOKEN_MAX_LIFETIME_SECONDS', 1, 31_536_000),
    },
    issuer,
    permissions: readPermissionSource(read),
    recheck: {
      intervalMs: read.integer('RECHECK_INTERVAL_MS', 60_000, 100, 3_600_000),
      graceMs: read.integer('RECHECK_GRACE_MS', 300_000, 0, 86_400_000),
    },
    admission: {
      maxStreams: read.integer('MAX_STREAMS', 100_000, 1, 1_000_000),
      maxStreamsPerSubject: read.limit('MAX_STREAMS_PER_SUBJECT', 100, 1_000_000),
      maxStreamsPerWorkspace: read.limit('MAX_STREAMS_PER_WORKSPACE', 50_000, 1_000_000),
      maxStreamsPerAddress: read.limit('MAX_STREAMS_PER_ADDRESS', 5_000, 1_000_000),
      maxFailedAttemptsPerMinute: read.limit('MAX_FAILED_ATTEMPTS_PER_MINUTE', 120, 1_000_000),
      maxOpensPerSecond: read.limit('MAX_OPENS_PER_SECOND', 1_000, 1_000_000),
    },
    auditLog: read.text('AUDIT_LOG', 'stderr'),
    stream: {
      heartbeatMs: read.integer('HEARTBEAT_MS', 15_000, 100, 30_000),
      retryMs: read.integer('RETRY_MS', 2_000, 100, 300_000),
      maxBacklogBytes: read.integer('MAX_BACKLOG_BYTES', 1_048_576, 65_536, 268_435_456),
      stallMs: read.integer('STALL_MS', 30_000, 1_000, 600_000),
    },
    publish: {
      maxEventBytes: read.integer('MAX_EVENT_BYTES', 65_536, 1_024, 1_048_576),
      maxBatch: read.integer('MAX_BATCH', 1_000, 1, 10_000),
      maxBodyBytes: read.integer('MAX_BODY_BYTES', 1_048_576, 1_024, 16_777_216),
    },
    retention: readRetention(read),
    redis,
  };
  const { maxEventBytes, maxBodyBytes } = config.publish;
  if (maxEventBytes > maxBodyBytes) {
    faults.push('MAX_EVENT_BYTES is above MAX_BODY_BYTES: no such event could be published');
  }
  if (maxEventBytes > config.stream.maxBacklogBytes) {
    faults.push('MAX_EVENT_BYTES is above MAX_BACKLOG_BYTES: one such event could end a stream');
  }
  if (faults.length > 0) throw new ConfigError([...new Set(faults)]);
  return deepFreeze(config);
}

function readEmbeddedIssuer(
  read: SettingReader,
  trusted: readonly TrustedIssuer[],
): EmbeddedIssuer | null {
  const isExposed = read.flag('ISSUER_EXPOSED', false);
  const keySecret = read.isSet('ISSUER_KEY_SECRET') ? readSecret(read, 'ISSUER_KEY_SECRET') : null;
  if (keySecret !== null && !read.isSet('REDIS_URL')) {
    read.refuse('ISSUER_KEY_SECRET is set without REDIS_URL: files are not encrypted by it');
  }
  const embedded = trusted.find(({ keys }) => keys.kind === 'embedded');
  if (embedded === undefined) return null;
  return { issuer: embedded.issuer, audience: embedded.audience, isExposed, keySecret };
}

function readPermissionSource(read: SettingReader): PermissionSource {
  const url = read.url('AUTHZEN_URL');
  const path = read.text('POLICY_FILE', '');
  const token = read.text('AUTHZEN_TOKEN', '') || null;
  const deadlineMs = read.integer('AUTHZEN_DEADLINE_MS', 2_000, 10, 4_000);
  const cacheMs = read.integer('AUTHZEN_CACHE_MS', 10_000, 0, 600_000);
  if (read.isSet('AUTHZEN_URL') && path !== '') {
    read.refuse('POLICY_FILE is set beside AUTHZEN_URL: permissions come from one or the other');
  }
  if (token !== null && !read.isSet('AUTHZEN_URL')) {
    // Without its address the decision point would not be asked, and the token would decide.
    read.refuse('AUTHZEN_TOKEN is set without AUTHZEN_URL');
  }
  if (url !== null) return { kind: 'authzen', url, token, deadlineMs, cacheMs };
  return path === '' ? { kind: 'claims' } : { kind: 'policy-file', path: resolve(path) };
}

/** The address the service is reached at from this machine. */
export function localUrl(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
