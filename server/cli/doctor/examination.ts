import type { LookupFunction } from 'node:net';
import type { Answer } from './ask.js';
import type { Finding } from './finding.js';
import type { OpenedStream } from './open-stream.js';
import type { ReadToken } from './read-token.js';

/** What the caller wants examined. */
export interface DoctorOptions {
  /** Where the service is: no query, no user name, no slash at its end. */
  readonly base: URL;
  /** Whether the URL that was given held a query, which may have been a token. */
  readonly hadQuery: boolean;
  readonly workspace: string | null;
  readonly token: ReadToken | null;
  readonly origin: string | null;
  readonly jwks: URL | null;
  readonly ops: URL | null;
  /** The topic to publish to; `null`: nothing is published. */
  readonly publishTopic: string | null;
  /** How long to wait for heartbeats; `null`: for one of them, or 20 s. */
  readonly watchMs: number | null;
  /** An authority to trust beside those of Node, as PEM. */
  readonly ca: string | null;
  /** What the service is known to be told, from the environment of the command. */
  readonly expected: ExpectedSettings;
}

/** Settings of the service by which it judges tokens; `null`: not known here. */
export interface ExpectedSettings {
  readonly issuer: string | null;
  readonly audience: string | null;
  readonly workspaceClaim: string | null;
  readonly clockToleranceSeconds: number;
  readonly heartbeatMs: number | null;
}

/** What earlier checks found out for later ones. */
export interface Knowledge {
  addresses?: readonly { readonly address: string; readonly family: number }[];
  /** What TLS offered for HTTP; `null` where it is not spoken. */
  alpn?: string | null;
  /** The answer to a subscription without a token. */
  bare?: Answer;
  /** How far the service's clock is ahead of ours. */
  skewSeconds?: number;
  keys?: readonly unknown[];
  /** Whether the signature of the token holds by the keys that are published now. */
  hasSignature?: boolean;
  /** The step of the gate at which, by our own judgement, the token is refused; `null`: at none. */
  refusedBy?: string | null;
  /** The first stream that was asked for with the token. */
  first?: OpenedStream | { readonly heldBackMs: number };
  /** The cursor that a stream began with. */
  cursor?: string;
}

export interface Examination extends DoctorOptions {
  readonly signal: AbortSignal;
  readonly lookup: LookupFunction | null;
  /** How long one answer may take. */
  readonly answerMs: number;
  readonly known: Knowledge;
  /** What must never be printed. */
  readonly secrets: string[];
}

export interface Check {
  /** Stable, for programs. */
  readonly id: string;
  readonly title: string;
  /** Checks without whose success this one makes no sense. */
  readonly needs: readonly string[];
  run(examination: Examination): Promise<Finding>;
}
