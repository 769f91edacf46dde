import { isIP } from 'node:net';
import { resolve } from 'node:path';

export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The claims that the embedded issuer writes beside those that name workspaces. */
export const ISSUER_CLAIMS: readonly string[] =
  'iss sub aud iat exp nbf jti client_id permissions scope'.split(' ');

/** What the embedded issuer puts into `iss`, unless told otherwise. */
export const EMBEDDED_ISSUER = 'urn:sluice:embedded';

/** Which tokens are accepted. */
export interface TokenRules {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly Algorithm[];
  /** The claim that names one workspace; its plural (with an `s`) lists several. */
  readonly workspaceClaim: string;
  readonly clockToleranceSeconds: number;
  /** Furthest that `exp` may lie ahead, which also unmasks an `exp` in milliseconds. */
  readonly maxLifetimeSeconds: number;
}

/** How long a workspace's history is kept; whichever bound is reached first trims the oldest events. */
export interface Retention {
  readonly maxAgeSeconds: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
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
  readonly maxStreams: number;
}

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  readonly drainMs: number;
  /** Origins whose pages may read the service's answers (CORS), compared exactly. */
  readonly allowedOrigins: readonly string[];
  readonly tokens: TokenRules;
  /** Whose keys verify tokens; `null`: those of the embedded issuer. */
  readonly jwksUri: string | null;
  /** Whether the embedded issuer runs: off beside a `jwksUri`, unless asked for. */
  readonly issuerEnabled: boolean;
  /** Whether the embedded issuer answers others than this machine. */
  readonly issuerExposed: boolean;
  readonly stream: StreamLimits;
  readonly publish: PublishLimits;
  readonly retention: Retention;
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
  const jwksUri = read.url('JWKS_URI');
  const issuerEnabled = read.flag('ISSUER_ENABLED', jwksUri === null);
  const issuerExposed = read.flag('ISSUER_EXPOSED', false);
  const host = read.text('HOST', '127.0.0.1');

  if (jwksUri !== null) {
    for (const name of ['TOKEN_ISSUER', 'TOKEN_AUDIENCE']) {
      if (read.text(name, '') === '') faults.push(`${name} must be set when JWKS_URI is set`);
    }
  }
  const workspaceClaim = read.claimName('WORKSPACE_CLAIM', 'workspace');
  const writtenClaims = [workspaceClaim, `${workspaceClaim}s`];
  if (issuerEnabled && writtenClaims.some((claim) => ISSUER_CLAIMS.includes(claim))) {
    faults.push('WORKSPACE_CLAIM names a claim that the embedded issuer writes itself');
  }
  if (jwksUri === null && !issuerEnabled) {
    faults.push('JWKS_URI must be set when ISSUER_ENABLED is false: there would be no keys');
  }
  if (issuerEnabled && !isLoopback(host) && !issuerExposed) {
    faults.push(
      'HOST is not a loopback address while the embedded issuer runs; set JWKS_URI to use an identity provider, or ISSUER_EXPOSED=true to offer the issuer to the network',
    );
  }

  const config: Config = {
    host,
    port: read.integer('PORT', 3000, 0, 65_535),
    dataDir: resolve(read.text('DATA_DIR', './data')),
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    drainMs: read.integer('DRAIN_MS', 3_000, 0, 600_000),
    allowedOrigins: read.origins('ALLOWED_ORIGINS'),
    tokens: {
      issuer: read.text('TOKEN_ISSUER', EMBEDDED_ISSUER),
      audience: read.text('TOKEN_AUDIENCE', 'sluice'),
      algorithms: read.listOf('TOKEN_ALGORITHMS', ALGORITHMS),
      workspaceClaim,
      clockToleranceSeconds: read.integer('CLOCK_TOLERANCE_SECONDS', 5, 0, 300),
      maxLifetimeSeconds: read.integer('TOKEN_MAX_LIFETIME_SECONDS', 86_400, 60, 31_536_000),
    },
    jwksUri,
    issuerEnabled,
    issuerExposed,
    stream: {
      heartbeatMs: read.integer('HEARTBEAT_MS', 15_000, 100, 30_000),
      retryMs: read.integer('RETRY_MS', 2_000, 100, 300_000),
      maxBacklogBytes: read.integer('MAX_BACKLOG_BYTES', 1_048_576, 65_536, 268_435_456),
      stallMs: read.integer('STALL_MS', 30_000, 1_000, 600_000),
      maxStreams: read.integer('MAX_STREAMS', 100_000, 1, 1_000_000),
    },
    publish: {
      maxEventBytes: read.integer('MAX_EVENT_BYTES', 65_536, 1_024, 1_048_576),
      maxBatch: read.integer('MAX_BATCH', 1_000, 1, 10_000),
      maxBodyBytes: read.integer('MAX_BODY_BYTES', 1_048_576, 1_024, 16_777_216),
    },
    retention: {
      maxAgeSeconds: read.integer('RETENTION_SECONDS', 86_400, 1, 31_536_000),
      maxEvents: read.integer('RETENTION_EVENTS', 100_000, 1, 100_000_000),
      maxBytes: read.integer('RETENTION_BYTES', 268_435_456, 65_536, 1_099_511_627_776),
    },
  };
  const { maxEventBytes, maxBodyBytes } = config.publish;
  if (maxEventBytes > maxBodyBytes) {
    faults.push('MAX_EVENT_BYTES is above MAX_BODY_BYTES: no such event could be published');
  }
  if (maxEventBytes > config.stream.maxBacklogBytes) {
    faults.push('MAX_EVENT_BYTES is above MAX_BACKLOG_BYTES: one such event could end a stream');
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(config);
}

/** The address the service is reached at from this machine. */
export function localUrl(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** Settings by name, each with its default and bounds; what cannot stand is added to `faults`. */
class SettingReader {
  constructor(
    private readonly env: Environment,
    private readonly faults: string[],
  ) {}

  text(name: string, fallback: string): string {
    // An empty variable is how shells and compose files say "not set".
    return this.env[name]?.trim() || fallback;
  }

  integer(name: string, fallback: number, least: number, most: number): number {
    const text = this.text(name, String(fallback));
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    this.faults.push(`${name} must be a whole number from ${least} to ${most}`);
    return fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    return this.oneOf(name, ['true', 'false'], fallback ? 'true' : 'false') === 'true';
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice {
    const text = this.text(name, fallback);
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) this.faults.push(`${name} must be one of ${choices.join(', ')}`);
    return choice ?? fallback;
  }

  list(name: string, fallback: readonly string[]): string[] {
    return this.text(name, fallback.join(','))
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }

  listOf<Choice extends string>(name: string, choices: readonly Choice[]): readonly Choice[] {
    const items = this.list(name, choices);
    const chosen = choices.filter((choice) => items.includes(choice));
    if (chosen.length === 0 || items.length !== chosen.length) {
      this.faults.push(`${name} must list some of ${choices.join(', ')}, each once`);
    }
    return chosen;
  }

  origins(name: string): string[] {
    const origins = this.list(name, []);
    if (!origins.every(isOrigin)) {
      this.faults.push(`${name} holds something that is not an origin (https://app.example)`);
    }
    return origins;
  }

  claimName(name: string, fallback: string): string {
    const text = this.text(name, fallback);
    if (/^[A-Za-z][A-Za-z0-9_:/.-]{0,127}$/.test(text) && !(text in Object.prototype)) return text;
    this.faults.push(`${name} must be the name of a claim`);
    return fallback;
  }

  url(name: string): string | null {
    const text = this.text(name, '');
    if (text === '') return null;
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && !url.hash) {
      // Keys read over plain http could be replaced on the way.
      if (url.protocol === 'https:' || isLoopback(url.hostname)) return url.href;
    }
    this.faults.push(`${name} must be an https URL (http is accepted for a loopback address only)`);
    return null;
  }
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
  );
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) deepFreeze(member);
  }
  return Object.freeze(value);
}
