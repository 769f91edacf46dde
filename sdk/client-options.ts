import { isWorkspace } from '@sluice/protocol';
import type { TokenOptions } from './auth/token-options.js';
import { check, checkCallback, checkNumber, checkType } from './check.js';
import { type Backoff, MAX_WAIT_MS } from './connection/backoff.js';
import type { RealtimeError } from './errors.js';
import { type FetchLike, platformFetch } from './http/fetch-like.js';

/** How a client is made: where it connects to, and exactly one way of getting a token. */
export type RealtimeClientOptions = ConnectOptions & TokenOptions;

/** Where a client connects to, and how. */
export interface ConnectOptions {
  /** Where the service is, as an absolute http or https URL: `https://events.example.com`. A path is kept as a prefix. */
  readonly endpoint: string;
  /** The workspace whose events are subscribed to. Compared exactly: `acme` and `Acme` are two workspaces. */
  readonly workspace: string;
  /**
   * What carries the stream. `fetch`: the token travels in a header. `eventsource`: the platform's EventSource (in Node
   * that of the package `eventsource`), with a one-time stream token for each connection. Default: `fetch`.
   */
  readonly transport?: 'fetch' | 'eventsource' | undefined;
  /**
   * Only with `eventsource`: sends the access token itself in the address, for services without stream tokens.
   * Addresses end up in logs. Default: false.
   */
  readonly queryToken?: boolean | undefined;
  /** `shared`: the tabs of one origin share one stream and one token. Browsers only; elsewhere it does nothing. */
  readonly crossTab?: 'shared' | undefined;
  /**
   * Only with `crossTab`: tabs with another key do not share. Where the tabs of one origin may be signed in as different
   * users, it tells these apart, as the id of the user does. Not a secret. 1 to 256 characters. Default: all tabs share.
   */
  readonly crossTabKey?: string | undefined;
  /** Default: the platform's `fetch`. It must honour `redirect: 'manual'`. */
  readonly fetch?: FetchLike | undefined;
  /** Pauses before new attempts, in milliseconds. Default: `{ baseMs: 500, ceilMs: 30_000 }`; both at most 300,000. */
  readonly backoff?:
    | { readonly baseMs?: number | undefined; readonly ceilMs?: number | undefined }
    | undefined;
  /** The same in seconds, in place of `backoff`. Default: `{ baseSeconds: 0.5, ceilSeconds: 30 }`. */
  readonly retryBackoff?:
    | { readonly baseSeconds?: number | undefined; readonly ceilSeconds?: number | undefined }
    | undefined;
  /** Attempts in a row that may fail before the client gives up, and waits for `setToken` or `reconnect`. Default: no limit. */
  readonly maxAttempts?: number | undefined;
  /**
   * Milliseconds of silence after which a stream is taken for dead and opened anew.
   * Default: 45,000, three heartbeats of the service; at most 300,000.
   */
  readonly heartbeatTimeoutMs?: number | undefined;
  /** Whether the stream is closed while the page is hidden, and resumed when it is shown. Default: false. */
  readonly suspendWhenHidden?: boolean | undefined;
  /** Closes the client when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** An error, once for the client, however many subscriptions it has. Called before theirs. */
  readonly onError?: ((error: RealtimeError) => void) | undefined;
}

/** The options after the check, with the defaults that are more than "no". */
export interface ClientSettings extends ConnectOptions {
  readonly transport: 'fetch' | 'eventsource';
  readonly fetch: FetchLike;
  readonly backoff: Backoff;
  readonly maxAttempts: number;
  readonly heartbeatTimeoutMs: number;
}

/** @throws TypeError that names the option at fault, never its value where that is a secret. */
export function checkClientOptions(options: ConnectOptions): ClientSettings {
  const {
    workspace,
    signal,
    crossTab,
    crossTabKey,
    transport = 'fetch',
    fetch = platformFetch,
  } = options;
  const { maxAttempts = Number.POSITIVE_INFINITY, heartbeatTimeoutMs = 45_000 } = options;
  check(
    'workspace',
    typeof workspace === 'string' && isWorkspace(workspace),
    '1 to 64 letters, digits, "_" and "-"',
  );
  checkCallback(options, 'fetch');
  checkCallback(options, 'onError');
  check('transport', /^(fetch|eventsource)$/.test(transport), '"fetch" or "eventsource"');
  check('crossTab', crossTab === undefined || crossTab === 'shared', '"shared"');
  const isKey = crossTab && typeof crossTabKey === 'string' && /^.{1,256}$/s.test(crossTabKey);
  check(
    'crossTabKey',
    crossTabKey === undefined || !!isKey,
    '1 to 256 characters beside "crossTab"',
  );
  checkType('queryToken', options.queryToken, 'boolean');
  checkType('suspendWhenHidden', options.suspendWhenHidden, 'boolean');
  check('signal', !signal || 'addEventListener' in Object(signal), 'an AbortSignal');
  checkNumber('maxAttempts', maxAttempts, Number.POSITIVE_INFINITY);
  checkNumber('heartbeatTimeoutMs', heartbeatTimeoutMs, MAX_WAIT_MS);
  return {
    ...options,
    endpoint: checkEndpoint('endpoint', options.endpoint),
    transport,
    fetch,
    backoff: checkBackoff(options),
    maxAttempts,
    heartbeatTimeoutMs,
  };
}

/**
 * An address of a service, without a slash at its end.
 * @throws TypeError
 */
export function checkEndpoint(name: string, value: unknown): string {
  const url = checkUrl(name, value);
  check(name, url.search === '', 'a URL without a query');
  return url.origin + url.pathname.replace(/\/+$/, '');
}

/** @throws TypeError */
export function checkUrl(name: string, value: unknown, base?: string): URL {
  const url = typeof value === 'string' && URL.canParse(value, base) ? new URL(value, base) : null;
  check(
    name,
    url !== null && /^https?:$/.test(url.protocol) && !(url.username || url.password || url.hash),
    'an absolute http or https URL without credentials and fragment',
  );
  return url as URL;
}

function checkBackoff({ backoff, retryBackoff }: ConnectOptions): Backoff {
  check('backoff', !(backoff && retryBackoff), 'left out where there is "retryBackoff"');
  check('backoff', backoff !== null, 'an object');
  check('retryBackoff', retryBackoff !== null, 'an object');
  const { baseSeconds = 0.5, ceilSeconds = 30 } = retryBackoff ?? {};
  checkNumber('retryBackoff.ceilSeconds', ceilSeconds, MAX_WAIT_MS / 1000);
  checkNumber('retryBackoff.baseSeconds', baseSeconds, ceilSeconds);
  const { baseMs = baseSeconds * 1000, ceilMs = ceilSeconds * 1000 } = backoff ?? {};
  checkNumber('backoff.ceilMs', ceilMs, MAX_WAIT_MS);
  checkNumber('backoff.baseMs', baseMs, ceilMs);
  return { baseMs, ceilMs };
}
