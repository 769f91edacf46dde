import type { OpsSettings } from './ops-settings.js';
import type { RedisSettings } from './redis-settings.js';
import type { RetentionRules } from './retention.js';
import type { LogLevel } from './settings/place.js';
import type { Algorithm } from './settings/tokens.js';
import type { TrustedIssuer } from './trusted-issuers.js';
import type { TrustedProxies } from './trusted-proxies.js';

// What the parts of the service are told, in place of the texts of the settings.

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
  /** Whether the log may hold addresses of clients. */
  readonly logsAddresses: boolean;
  /** The time over which the clients of open streams come back, to other nodes or this one, when it goes down. */
  readonly drainMs: number;
  /** `null`: no port is opened for operators. */
  readonly ops: OpsSettings | null;
  /** Workspaces that metrics may name; no other name becomes a label. */
  readonly metricsWorkspaces: readonly string[];
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
