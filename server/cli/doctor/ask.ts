import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import { rootCertificates } from 'node:tls';
import { VERSION } from '../version.js';
import type { Examination } from './examination.js';

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly query?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Each header as often as it came. */
  readonly distinct: Readonly<Record<string, readonly string[] | undefined>>;
  /** The beginning of it. */
  readonly body: string;
  /** From the first packet of the connection to the head of the answer. */
  readonly headMs: number;
  /** When it was asked for, and when the head came, by our own clock. */
  readonly askedAt: number;
  readonly headAt: number;
}

/** No answer: of the network, of TLS, or none in time. */
export class NoAnswer extends Error {
  constructor(
    message: string,
    readonly isLate: boolean = false,
  ) {
    super(message);
    this.name = 'NoAnswer';
  }
}

const MAX_BODY_BYTES = 65_536;

/** Asks once, over a connection of its own; nothing is followed. @throws NoAnswer */
export async function ask(
  examination: Examination,
  target: string | URL,
  question: Question = {},
): Promise<Answer> {
  const sent = send(examination, target, question);
  try {
    const response = await sent.response;
    const answer = sent.headOf(response);
    return { ...answer, body: await readText(response) };
  } catch (error) {
    throw sent.failureOf(error);
  } finally {
    sent.end();
  }
}

export interface Sent {
  readonly response: Promise<IncomingMessage>;
  headOf(response: IncomingMessage): Answer;
  /** Takes the deadline away from an answer that may go on. */
  keep(): void;
  end(): void;
  failureOf(error: unknown): NoAnswer;
}

/** Sends a request whose answer must come within the deadline. Always call `end`. */
export function send(
  examination: Examination,
  target: string | URL,
  { method = 'GET', headers = {}, body, query = {} }: Question,
): Sent {
  const url = addressOf(examination, target, query);
  const { answerMs, signal } = examination;
  const askedAt = Date.now();
  const started = performance.now();
  let isLate = false;
  let headAt = askedAt;
  let headMs = 0;
  const start = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = start(url, {
    ...connectionOf(examination),
    method,
    headers: { 'User-Agent': `sluice-doctor/${VERSION}`, ...headers },
  });
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    request.destroy();
  };
  const timer = setTimeout(() => {
    isLate = true;
    request.destroy(new Error('late'));
  }, answerMs);
  signal.addEventListener('abort', end, { once: true });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', (message) => {
      headAt = Date.now();
      headMs = performance.now() - started;
      resolve(message);
    });
    request.on('error', reject);
    request.once('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('the answer was of another protocol'));
    });
    request.once('close', () => reject(new Error('the connection was closed')));
  });
  // It may be given up before anybody waits for it.
  response.catch(() => {});
  if (signal.aborted) end();
  else request.end(body);

  return {
    response,
    headOf: ({ statusCode = 0, headers: got, headersDistinct: distinct }) => ({
      status: statusCode,
      headers: got,
      distinct,
      body: '',
      headMs,
      askedAt,
      headAt,
    }),
    keep: () => clearTimeout(timer),
    end,
    failureOf: (error) =>
      isLate
        ? new NoAnswer(`no whole answer within ${seconds(answerMs)}`, true)
        : new NoAnswer(describeFailure(error)),
  };
}

function connectionOf({ ca, lookup }: Examination): RequestOptions & { ca?: string[] } {
  return {
    agent: false,
    ...(ca !== null && { ca: [...rootCertificates, ca] }),
    ...(lookup !== null && { lookup }),
  };
}

function addressOf(
  { base }: Examination,
  target: string | URL,
  query: Readonly<Record<string, string>>,
): URL {
  const url = new URL(target instanceof URL ? target : base);
  if (!(target instanceof URL)) url.pathname = pathBelow(base, target);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

/** A path of the service, behind the prefix under which it stands. */
export function pathBelow(base: URL, path: string): string {
  return base.pathname.replace(/\/$/, '') + path;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8');
}

/** In plain words, as far as there are some. */
export function describeFailure(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ECONNREFUSED':
      return 'the connection is refused: nothing listens at this port';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the connection was cut before the answer was whole';
    case 'ETIMEDOUT':
      return 'nothing answers at this address: a firewall may drop what is sent there';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return 'there is no way to this address from here';
    case 'ENOTFOUND':
      return 'the name is not known';
    case 'EAI_AGAIN':
      return 'the name server does not answer';
    default:
      return code?.startsWith('HPE_')
        ? `the answer is not HTTP (${code})`
        : `${message || String(error)}${code === undefined || message.includes(code) ? '' : ` (${code})`}`;
  }
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
