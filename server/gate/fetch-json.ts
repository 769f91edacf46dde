import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { parseJson } from '../json.js';

export interface FetchJsonOptions {
  /** What the answer may hold at most, in bytes, after any decompression. */
  readonly maxBytes: number;
  /** Time in ms for all of it, from the look-up of the name to the last byte. Default 5 seconds. */
  readonly deadlineMs?: number;
  /** Ends it earlier. */
  readonly signal?: AbortSignal;
  /** Default `GET`. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface JsonAnswer {
  readonly status: number;
  /** The document of an answer 200; that of any other is not read, and `undefined`. */
  readonly body: unknown;
}

const DEADLINE_MS = 5_000;
const JSON_RULES = { maxDepth: 32 };
/** None is asked for; some servers hold nothing else. */
const DECODERS: ReadonlyMap<string, () => NodeJS.ReadWriteStream> = new Map([
  ['gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);

/**
 * Asks another server for JSON, within a deadline and a size. A redirect is not followed: it would let the answer come
 * from somewhere nobody configured. JSON that two readers could understand in two ways is a failure.
 * This is `node:http` and not `fetch`, which holds the signal that ends it weakly: once that is collected, an answer that
 * stalls is waited for for ever, and its socket with it.
 * @throws Error, DOMException TimeoutError
 */
export async function fetchJson(url: string, options: FetchJsonOptions): Promise<JsonAnswer> {
  const { deadlineMs = DEADLINE_MS, signal } = options;
  const abort = new AbortController();
  const onAbort = () => abort.abort(signal?.reason);
  const timer = setTimeout(() => {
    abort.abort(new DOMException(`no whole answer within ${deadlineMs} ms`, 'TimeoutError'));
  }, deadlineMs).unref();
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await askAgainIfUnheard(url, options, abort.signal);
  } catch (error) {
    throw abort.signal.aborted ? abort.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** A server may close a connection that is kept alive just when it is used again: nothing was asked then. */
async function askAgainIfUnheard(
  url: string,
  options: FetchJsonOptions,
  signal: AbortSignal,
): Promise<JsonAnswer> {
  try {
    return await ask(url, options, signal);
  } catch (error) {
    if (!(error instanceof UnheardError)) throw error;
    return ask(url, options, signal, { keepsAlive: false });
  }
}

class UnheardError extends Error {}

function ask(
  url: string,
  options: FetchJsonOptions,
  signal: AbortSignal,
  { keepsAlive = true } = {},
): Promise<JsonAnswer> {
  const { method = 'GET', headers, body, maxBytes } = options;
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? requestHttps : requestHttp;
    const request = send(url, {
      method,
      headers: { accept: 'application/json', 'accept-encoding': 'identity', ...headers },
      signal,
      ...(!keepsAlive && { agent: false }),
    });
    // Whatever becomes of the request: an answer 101, for one, lets it end without a word.
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    request.on('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('the answer was of another protocol'));
    });
    // An answer that is not wanted any more does not keep the process from its end.
    request.on('socket', (socket) => socket.unref());
    let isAnswered = false;
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isUnheard = !isAnswered && request.reusedSocket && error.code === 'ECONNRESET';
      reject(isUnheard ? new UnheardError('', { cause: error }) : error);
    });
    request.on('response', (response) => {
      isAnswered = true;
      answerOf(response, maxBytes)
        .then(resolve, reject)
        // What was not read to its end is not wanted any more.
        .finally(() => response.complete || request.destroy());
    });
    request.end(body);
  });
}

async function answerOf(response: IncomingMessage, maxBytes: number): Promise<JsonAnswer> {
  const { statusCode: status = 0 } = response;
  if (status !== 200) return { status, body: undefined };
  return { status, body: parseJson(await readBytes(decoded(response), maxBytes), JSON_RULES) };
}

function decoded(response: IncomingMessage): Readable | NodeJS.ReadWriteStream {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return response;
  const decoder = DECODERS.get(encoding)?.();
  if (decoder === undefined) throw new Error('the answer is in an encoding that is not known');
  // A failure of either is told by the reading of the second.
  return pipeline(response, decoder, () => {});
}

async function readBytes(
  stream: Readable | NodeJS.ReadWriteStream,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the answer is too large: over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
