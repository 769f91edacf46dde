import { setTimeout as delay } from 'node:timers/promises';
import { type ControlEventName, PARAMETERS, parseCursor, type StreamGap } from '@sluice/protocol';
import { readAccessToken } from './access-token.js';
import { type Command, type CommandContext, CommandFailure, say, UsageError } from './command.js';
import { readOptions } from './options.js';
import type { Refusal } from './refusal.js';
import { eventsAddress } from './service-address.js';
import { readStream } from './stream-reading.js';

const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;
// Whatever the service asks for, a look now and then costs it nothing.
const MAX_WAIT_MS = 300_000;

const OPTIONS = ['workspace', 'topics', 'types', 'url', 'from', 'count', 'token-file'] as const;

export const listenCommand: Command = {
  usage: `Usage: sluice listen --workspace <name> [options]

Prints each event as one line of JSON on stdout, and what happens to the stream on stderr.
A lost connection is made anew, and goes on where it was. Ctrl-C ends it.

  --workspace <name>   whose events
  --topics <list>      only these topics, comma-separated; * stands for any characters: orders,user.*
  --types <list>       only these event types, in the same form
  --from <cursor>      begin behind this cursor instead of with what happens now
  --count <n>          end after n events
  --url <url>          the service; default SLUICE_URL or http://127.0.0.1:3000
  --token-file <file>  the file that holds the access token; default SLUICE_TOKEN_FILE,
                       or SLUICE_TOKEN. It is read anew for each connection
`,

  async run(args, context) {
    const options = readOptions(args, OPTIONS);
    const workspace = options.workspace('workspace');
    const count = options.wholeNumber('count', 1, Number.MAX_SAFE_INTEGER);
    const from = options.one('from');
    if (from !== undefined && parseCursor(from) === null) {
      throw new UsageError('--from is not a cursor');
    }
    const address = eventsAddress(context, options.one('url'), workspace);
    for (const name of ['topics', 'types'] as const) {
      const patterns = options.list(name);
      if (patterns.length > 0) address.searchParams.set(PARAMETERS[name], patterns.join(','));
    }
    const readToken = () => readAccessToken(context, options.one('token-file'));
    await listen({ address, from, count, readToken }, context);
  },
};

interface Listening {
  readonly address: URL;
  readonly from: string | undefined;
  readonly count: number | undefined;
  readToken(): Promise<string>;
}

async function listen(listening: Listening, context: CommandContext): Promise<void> {
  const enough = new AbortController();
  const signal = AbortSignal.any([context.signal, enough.signal]);
  let cursor = listening.from;
  let events = 0;
  let failures = 0;

  while (!signal.aborted) {
    const token = await listening.readToken();
    let waitMs: number | undefined;
    let comesBackAt: number | undefined;
    const leaving = new AbortController();
    let moving: NodeJS.Timeout | undefined;
    const end = await readStream({
      address: listening.address,
      token,
      cursor,
      signal: AbortSignal.any([signal, leaving.signal]),
      output: context.stdout,
      onCursor(next) {
        cursor = next;
      },
      onEvent(data) {
        // Outside of a JSON text's strings, which cannot hold one, a line break is white space.
        context.stdout.write(`${data.replaceAll('\n', ' ')}\n`);
        if (++events === listening.count) enough.abort();
      },
      onControl(name, data) {
        if (name === 'stream.connected') failures = 0;
        if (name === 'stream.draining') {
          const inMs = numberOf(data['reconnectInMs']) ?? 0;
          comesBackAt = performance.now() + inMs;
          moving = setTimeout(() => leaving.abort(), inMs);
        }
        say(context, noticeOf(name, data));
      },
    });
    clearTimeout(moving);
    if (signal.aborted) return;
    // Where the service lets the stream go on until then, the next one is opened at once, at its cursor.
    if ('stopped' in end) continue;

    if (comesBackAt !== undefined) waitMs = Math.max(0, comesBackAt - performance.now());
    let reason: string;
    if ('refusal' in end) {
      const { refusal } = end;
      reason = `${refusal.code}: ${refusal.detail}`;
      if (!(await isWorthTryingAgain(refusal, token, listening))) throw new CommandFailure(reason);
      waitMs = refusal.retryAfterMs ?? waitMs;
    } else {
      reason = end.lost;
    }
    waitMs = Math.min(waitMs ?? backoffMs(failures++), MAX_WAIT_MS);
    say(context, `${reason.replace(/\.$/, '')}; trying again in ${(waitMs / 1_000).toFixed(1)} s`);
    // Stopped while it waits: the loop ends by itself.
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

/** An expired token is worth another try only where a newer one lies ready. */
async function isWorthTryingAgain(
  { code, recoverable }: Refusal,
  token: string,
  { readToken }: Listening,
): Promise<boolean> {
  return code === 'TOKEN_EXPIRED' ? (await readToken()) !== token : recoverable;
}

/** Exponential, with full jitter. */
function backoffMs(failures: number): number {
  return Math.random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined;
}

function noticeOf(name: ControlEventName, data: Readonly<Record<string, unknown>>): string {
  switch (name) {
    case 'stream.connected':
      return `connected to ${data['workspace']} as ${data['subject']} until ${data['expiresAt']} (${data['resumed']})`;
    case 'stream.gap':
      return gapNotice(data);
    case 'stream.token_expiring':
      return `the token expires at ${data['expiresAt']}`;
    case 'stream.draining':
      return 'the service is going down';
    default:
      return name;
  }
}

function gapNotice({ from, oldest, reason }: Readonly<Record<string, unknown>>): string {
  switch (reason as StreamGap['reason']) {
    case 'expired':
      return `the events up to ${oldest} are gone`;
    case 'unknown_epoch':
      return `the cursor ${from} is of another log or workspace, so everything kept follows`;
    case 'ahead':
      return `the log is older than the cursor ${from}, so only new events follow`;
    case 'lost':
      return `the server of the log was restarted or replaced: events behind ${from} may be missing`;
    default:
      return `events behind ${from} are gone (${reason})`;
  }
}
