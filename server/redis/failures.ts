import { SluiceError, spreadRetryMs } from '../errors.js';

/** There was no connection to send it on. */
export class NotSent extends Error {
  constructor() {
    super('there is no connection to Redis');
    this.name = 'NotSent';
  }
}

/** Replies of Redis that say that nothing was executed, and may be different in a moment. */
const PASSING = [
  'ASK',
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MOVED',
  'NOREPLICAS',
  'READONLY',
  'TRYAGAIN',
];
/** What ioredis says of a command that it has not sent. */
const UNSENT = "Stream isn't writeable";

/** Redis refuses this service: trying again is of no use before somebody has changed a setting. */
const REFUSALS = ['NOAUTH', 'NOPERM', 'WRONGPASS'];
/** It is not the Redis that the settings tell of. */
const MISTAKES =
  /^ERR (DB index|This instance has cluster support disabled|unknown command .?AUTH\b)/i;
/** What to look at, by what a failure begins with: its code, or the word of the reply. */
const HINTS: readonly (readonly [begins: RegExp, hint: string])[] = [
  [
    /^(no Sentinel helps: )?ERR No such master/,
    'the Sentinels watch nothing of the name in REDIS_URL',
  ],
  [/^ECONNREFUSED/, 'nobody listens there'],
  [/^(ENOTFOUND|EAI_AGAIN)/, 'the name of the host is not known'],
  [/^NOAUTH/, 'it wants a password, and REDIS_URL has none'],
  [/^WRONGPASS/, 'the user or the password in REDIS_URL is not the right one'],
  [/^NOPERM/, 'its user lacks a right that is needed'],
  [/^ERR DB index/, 'it has no database of the number in REDIS_URL'],
  [/^ERR This instance/, 'it is no server of a cluster, and REDIS_URL begins redis+cluster'],
  [/^ERR unknown command/, 'it knows no passwords, and REDIS_URL has one'],
];
const WITH_TLS = [
  /^(ETIMEDOUT|EPROTO|ERR_SSL|no answer|Socket timeout)/,
  'is it a port without TLS?',
] as const;
const WITHOUT_TLS = [
  /^(ECONNRESET|Connection is closed|Protocol error)/,
  'is it a port with TLS?',
] as const;
/** Redis, or what stands in front of it, repeats the arguments of a command that it does not know: AUTH, say. */
const REPEATED = /,? with args beginning.*/is;
const TLS_FAILURE = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_)/;

/** Whether a command was surely not executed, and might be in a moment. */
export function isWorthAnotherTry(error: unknown): boolean {
  return error instanceof NotSent || PASSING.includes(wordOf(error)) || isUnsent(error);
}

export function isUnknownScript(error: unknown): boolean {
  return wordOf(error) === 'NOSCRIPT';
}

/** Whether the server was a primary, and is one no more. */
export function isReadOnly(error: unknown): boolean {
  return wordOf(error) === 'READONLY';
}

/** Whether it is of no use to go on trying: the service or the server must be set up otherwise. */
export function isFinal(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return (
    REFUSALS.includes(wordOf(error)) ||
    MISTAKES.test(messageOf(error)) ||
    (typeof code === 'string' && TLS_FAILURE.test(code))
  );
}

/**
 * The same error for others to see: ioredis keeps keys, payloads and passwords beside it, and Redis may repeat them.
 * @param secrets what it must not repeat wherever it stands
 */
export function withoutArguments(error: unknown, secrets: readonly string[] = []): Error {
  const told = secrets.reduce(
    (text, secret) => text.replaceAll(secret, '…'),
    messageOf(error).replace(REPEATED, ''),
  );
  const { name, code, syscall } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  return Object.assign(new Error(told), {
    name: name ?? 'Error',
    ...(code !== undefined && { code }),
    ...(syscall !== undefined && { syscall }),
  });
}

/** A word for an error. */
export function reasonOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : messageOf(error).slice(0, 200) || 'no answer';
}

/** The same, and where to look. */
export function plainReasonOf(error: unknown, usesTls: boolean): string {
  const reason = reasonOf(error);
  const hints = [...HINTS, usesTls ? WITH_TLS : WITHOUT_TLS];
  const [, hint] = hints.find(([begins]) => begins.test(reason)) ?? [];
  return hint === undefined ? reason : `${reason}: ${hint}`;
}

export function redisUnavailable(cause: unknown): SluiceError {
  return new SluiceError('UNAVAILABLE', detailOf(cause), {
    cause,
    retryAfterMs: spreadRetryMs(2_000),
  });
}

/** For the caller, who is told what may help and nothing of how it is kept. */
function detailOf(cause: unknown): string {
  if (wordOf(cause) === 'OOM') return 'What the nodes share has no room for more right now.';
  const { name } = (cause ?? {}) as { readonly name?: unknown };
  if (wordOf(cause) === 'NOREPLICAS' || name === 'TooFewReplicas') {
    return 'What the nodes share has too few replicas right now.';
  }
  return 'What the nodes share cannot be reached right now.';
}

function isUnsent(error: unknown): boolean {
  return messageOf(error).startsWith(UNSENT);
}

function wordOf(error: unknown): string {
  return messageOf(error).split(' ', 1)[0] ?? '';
}

function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : '';
}
