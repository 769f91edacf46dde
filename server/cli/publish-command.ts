import { addAbortSignal } from 'node:stream';
import { CONTENT_TYPES } from '@sluice/protocol';
import { readAccessToken } from './access-token.js';
import { readAnswerText } from './answer-text.js';
import { type Command, type CommandContext, CommandFailure, UsageError } from './command.js';
import { describeNetworkFailure } from './network-failure.js';
import { readOptions } from './options.js';
import { readRefusal } from './refusal.js';
import { eventsAddress } from './service-address.js';

const MAX_STDIN_BYTES = 16_777_216;
const NOTHING_PUBLISHED = 'stopped; nothing was published';
const UNCERTAIN = 'the event may have been published or not';

const OPTIONS = [
  'workspace',
  'topic',
  'type',
  'data',
  'id',
  'subject',
  'idempotency-key',
  'url',
  'token-file',
] as const;

export interface PublishCommandOptions {
  /** How long the service may take for its whole answer. Default 10,000 ms. */
  readonly deadlineMs?: number;
}

export function createPublishCommand(options: PublishCommandOptions = {}): Command {
  const { deadlineMs = 10_000 } = options;
  return {
    usage: `Usage: sluice publish --workspace <name> --topic <name> --type <name> [options]

Publishes one event and prints its cursor on stdout.

  --workspace <name>       where the event goes
  --topic <name>           what it is about: orders
  --type <name>            what happened: order.created
  --data <json>            its data; - reads them from stdin; use --data=-1 for what begins with a dash
  --id <id>                its id; made by the service otherwise
  --subject <text>         what of the topic it is about
  --idempotency-key <key>  a second publish with the same key changes nothing
  --url <url>              the service; default SLUICE_URL or http://127.0.0.1:3000
  --token-file <file>      the file that holds the access token; default SLUICE_TOKEN_FILE,
                           or SLUICE_TOKEN

  sluice publish --workspace acme --topic orders --type order.created --data '{"n":1}'
`,

    async run(args, context) {
      const options = readOptions(args, OPTIONS);
      const workspace = options.workspace('workspace');
      const topic = options.required('topic');
      const type = options.required('type');
      const key = options.one('idempotency-key');
      if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
        throw new UsageError('--idempotency-key must be ASCII characters without white space');
      }
      const address = eventsAddress(context, options.one('url'), workspace);
      const token = await readAccessToken(context, options.one('token-file'));
      const data = await readData(options.one('data'), context);
      const event = { topic, type, id: options.one('id'), subject: options.one('subject'), data };

      const cursors = await post(address, context, deadlineMs, {
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': CONTENT_TYPES.json,
          ...(key !== undefined && { 'Idempotency-Key': key }),
        },
        body: JSON.stringify(event),
      });
      for (const cursor of cursors) context.stdout.write(`${cursor}\n`);
    },
  };
}

export const publishCommand = createPublishCommand();

/** Sends the request; the cursors of the answer. */
async function post(
  address: URL,
  { signal }: CommandContext,
  deadlineMs: number,
  request: { headers: Record<string, string>; body: string },
): Promise<readonly string[]> {
  // Held here by hand: AbortSignal.any() does not keep an AbortSignal.timeout() from the garbage collector, and what was
  // collected never fires.
  const ending = new AbortController();
  const stop = () => ending.abort();
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    stop();
  }, deadlineMs);
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) throw new CommandFailure(NOTHING_PUBLISHED);
    const answer = await fetch(address, {
      ...request,
      method: 'POST',
      // A redirect would lose the token or the body, each in its own way.
      redirect: 'manual',
      signal: ending.signal,
    });
    if (!answer.ok) {
      const { code, detail } = await readRefusal(answer);
      throw new CommandFailure(`${code}: ${detail}`);
    }
    return readCursors(await readAnswerText(answer));
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    if (signal.aborted) {
      throw new CommandFailure(`stopped; ${UNCERTAIN}`);
    }
    if (isLate) {
      throw new CommandFailure(`${address.origin} did not answer in time; ${UNCERTAIN}`);
    }
    throw new CommandFailure(describeNetworkFailure(error, address), { cause: error });
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', stop);
  }
}

function readCursors(text: string): string[] {
  const { events } = Object(parseJson(text)) as { events?: unknown };
  const cursors = Array.isArray(events) ? events.map((event) => Object(event).cursor) : [];
  if (cursors.length === 0 || !cursors.every((cursor) => typeof cursor === 'string')) {
    throw new CommandFailure('PROTOCOL_ERROR: the answer is not from Sluice');
  }
  return cursors;
}

async function readData(text: string | undefined, context: CommandContext): Promise<unknown> {
  if (text === undefined) return undefined;
  const isFromStdin = text === '-';
  const data = parseJson(isFromStdin ? await readStdin(context) : text);
  if (data === undefined) {
    throw new UsageError(`${isFromStdin ? 'what stdin holds' : '--data'} is not JSON`);
  }
  return data;
}

/** `undefined`, which no JSON text stands for, where the text is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readStdin({ stdin, signal }: CommandContext): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Stdin is destroyed when the user wants to stop: nothing else ends the wait for somebody who types.
    for await (const chunk of addAbortSignal(signal, stdin)) {
      chunks.push(Buffer.from(chunk));
      length += chunk.length;
      if (length > MAX_STDIN_BYTES) {
        throw new UsageError('what stdin holds is too large for an event');
      }
    }
  } catch (error) {
    if (signal.aborted) throw new CommandFailure(NOTHING_PUBLISHED);
    throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}
