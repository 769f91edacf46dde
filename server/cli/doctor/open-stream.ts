import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, constants as zlib } from 'node:zlib';
import { CONTENT_TYPES, eventsPath } from '@sluice/protocol';
import { parseStreamError, type Refusal } from '../refusal.js';
import { type Answer, type Question, send } from './ask.js';
import type { Examination } from './examination.js';
import { FrameReader, type SeenFrame } from './frame-reader.js';
import type { ReadToken } from './read-token.js';
import { refusalOf } from './refusal-of.js';

/** A stream that was let in, or why it was not. Always `close` it. */
export interface OpenedStream {
  readonly answer: Answer;
  /** `null` where the answer is a stream, even one that holds nothing but an error. */
  readonly refusal: Refusal | null;
  readonly isStream: boolean;
  readonly frames: readonly SeenFrame[];
  /** When the head came, by the clock of `SeenFrame.atMs`. */
  readonly headAtMs: number;
  /** Whether a byte of the body has come. */
  hasBegun(): boolean;
  /** Whether it has ended, be it by the service or by something between. */
  hasEnded(): boolean;
  /** The first frame that fits; `null` where none came in time, or the stream has ended. */
  next(fits: (frame: SeenFrame) => boolean, withinMs: number): Promise<SeenFrame | null>;
  close(): void;
}

/** What is kept to be looked at later; what comes behind it is still seen by those who wait. */
const MAX_KEPT_FRAMES = 10_000;
const MAX_KEPT_EVENTS = 1_000;
const MAX_KEPT_CHARACTERS = 4_000_000;
const MAX_BODY_CHARACTERS = 65_536;

/** Asks for the stream of the workspace. @throws NoAnswer where not even a head comes. */
export async function openStream(
  examination: Examination,
  question: Question,
): Promise<OpenedStream> {
  const sent = send(examination, eventsPath(examination.workspace ?? 'doctor'), {
    ...question,
    headers: {
      Accept: CONTENT_TYPES.eventStream,
      'Accept-Encoding': 'identity',
      ...question.headers,
    },
  });
  try {
    const response = await sent.response;
    const head = sent.headOf(response);
    const isStream =
      head.status === 200 &&
      head.headers['content-type']?.startsWith(CONTENT_TYPES.eventStream) === true;
    if (isStream) {
      sent.keep();
      return watch(response, head, sent.end, examination.signal);
    }
    const body = await readBeginning(response);
    sent.end();
    const answer = { ...head, body };
    return { ...NO_STREAM, answer, refusal: refusalOf(answer) };
  } catch (error) {
    sent.end();
    throw sent.failureOf(error);
  }
}

/** As much of it as comes in time: whoever answers with something else may go on with it for ever. */
async function readBeginning(response: IncomingMessage): Promise<string> {
  let body = '';
  try {
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      body += chunk;
      if (body.length > MAX_BODY_CHARACTERS) break;
    }
  } catch {
    // It was cut, or took too long. The status is known, and so is the beginning.
  }
  return body;
}

const NO_STREAM = {
  isStream: false,
  frames: [],
  headAtMs: 0,
  hasBegun: () => false,
  hasEnded: () => true,
  next: async () => null,
  close: () => {},
} satisfies Partial<OpenedStream>;

function watch(
  response: IncomingMessage,
  answer: Answer,
  end: () => void,
  signal: AbortSignal,
): OpenedStream {
  const headAtMs = performance.now();
  const frames: SeenFrame[] = [];
  const keep = keeperOf(frames);
  const waiting = new Set<Waiter>();
  let hasBegun = false;
  let hasEnded = false;
  const finish = () => {
    hasEnded = true;
    for (const { settle } of [...waiting]) settle(null);
  };
  const reader = new FrameReader((frame) => {
    keep(frame);
    for (const { fits, settle } of [...waiting]) if (fits(frame)) settle(frame);
  });
  response.once('data', () => {
    hasBegun = true;
  });
  const text = decoded(response).setEncoding('utf8');
  text.on('data', (chunk: string) => reader.feed(chunk));
  for (const stream of [response, text]) {
    stream.on('error', finish).on('end', finish).on('close', finish);
  }

  return {
    answer,
    refusal: null,
    isStream: true,
    frames,
    headAtMs,
    hasBegun: () => hasBegun,
    hasEnded: () => hasEnded,
    next: (fits, withinMs) =>
      new Promise((resolve) => {
        const giveUp = () => settle(null);
        const settle = (frame: SeenFrame | null) => {
          waiting.delete(waiter);
          clearTimeout(timer);
          signal.removeEventListener('abort', giveUp);
          resolve(frame);
        };
        const waiter = { fits, settle };
        const timer = setTimeout(giveUp, withinMs);
        signal.addEventListener('abort', giveUp, { once: true });
        waiting.add(waiter);
        const found = frames.find(fits);
        if (found !== undefined || hasEnded || signal.aborted) settle(found ?? null);
      }),
    close: end,
  };
}

interface Waiter {
  readonly fits: (frame: SeenFrame) => boolean;
  settle(frame: SeenFrame | null): void;
}

/** Puts frames away as long as there is room: a busy workspace brings more events than anybody looks at. */
function keeperOf(frames: SeenFrame[]): (frame: SeenFrame) => void {
  let events = 0;
  let characters = 0;
  return (frame) => {
    if (frame.name === 'message' && ++events > MAX_KEPT_EVENTS) return;
    characters += frame.data.length;
    if (frames.length < MAX_KEPT_FRAMES && characters < MAX_KEPT_CHARACTERS) frames.push(frame);
  };
}

/** With each byte that comes, and not when a block is full: else the doctor itself would hold frames back. */
function decoded(response: IncomingMessage): Readable {
  const flush = { finishFlush: zlib.Z_SYNC_FLUSH };
  switch (response.headers['content-encoding']) {
    case 'gzip':
      return response.pipe(createGunzip(flush));
    case 'deflate':
      return response.pipe(createInflate(flush));
    case 'br':
      return response.pipe(createBrotliDecompress());
    default:
      return response;
  }
}

export function bearer({ text }: ReadToken): Record<string, string> {
  return { Authorization: `Bearer ${text}` };
}

export function isConnected({ kind, name }: SeenFrame): boolean {
  return kind === 'event' && name === 'stream.connected';
}

/** The error in a stream, if there is one. */
export function streamErrorOf(frames: readonly SeenFrame[]): Refusal | null {
  const frame = frames.find(({ kind, name }) => kind === 'event' && name === 'stream.error');
  return frame === undefined ? null : parseStreamError(frame.data);
}

/** The members of a frame's data; none where they are not JSON. */
export function membersOf({ data }: SeenFrame): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(data));
  } catch {
    return {};
  }
}
