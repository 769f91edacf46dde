import { describe, expect, it } from '@jest/globals';
import {
  CLIENT_ERRORS,
  type ControlEventName,
  type ControlEvents,
  isServiceErrorCode,
  type Problem,
  parseCursor,
  problemOf,
  readCloudEvent,
  SERVICE_ERRORS,
  TERMINAL_RETRY_MS,
} from '@sluice/protocol';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { codeBlocks, codeOf, readDocument, tableRows } from './markdown.js';

const PAGE = readDocument('docs/PROTOCOL.md');

type Kind = 'string' | 'number';
type Shapes = {
  readonly [Name in ControlEventName]: { readonly [Member in keyof ControlEvents[Name]]-?: Kind };
};

/** The members of the control events. The compiler holds this list to protocol/control-event.ts, both ways. */
const SHAPES: Omit<Shapes, 'stream.error'> = {
  'stream.connected': {
    connectionId: 'string',
    workspace: 'string',
    subject: 'string',
    expiresAt: 'string',
    resumed: 'string',
  },
  'stream.gap': { from: 'string', oldest: 'string', reason: 'string' },
  'stream.token_expiring': { expiresAt: 'string' },
  'stream.draining': { reconnectInMs: 'number' },
};
const CONTROL_EVENTS = [...Object.keys(SHAPES), 'stream.error'].sort();

/** The two tables of codes in the form of protocol/errors.ts. */
const serviceRows = tableRows(PAGE, 'service-errors').map(([code, status = '', recoverable]) => ({
  code: codeOf(code),
  status: /^\d{3}$/.test(status) ? Number(status) : null,
  recoverable,
}));
const clientRows = tableRows(PAGE, 'client-errors').map(([code, recoverable]) => ({
  code: codeOf(code),
  recoverable,
}));
const yesOrNo = (recoverable: boolean): string => (recoverable ? 'yes' : 'no');

describe('docs/PROTOCOL.md', () => {
  it('has the codes of the service as they are', () => {
    expect(serviceRows).toEqual(
      Object.entries(SERVICE_ERRORS).map(([code, { status, recoverable }]) => ({
        code,
        status,
        recoverable: yesOrNo(recoverable),
      })),
    );
  });

  it('has the codes of clients as they are', () => {
    expect(clientRows).toEqual(
      Object.entries(CLIENT_ERRORS).map(([code, { recoverable }]) => ({
        code,
        recoverable: yesOrNo(recoverable),
      })),
    );
  });

  it('names the control events as they are', () => {
    const table = tableRows(PAGE, 'control-events').map(([name]) => codeOf(name));
    expect([...table].sort()).toEqual(CONTROL_EVENTS);
    const mentioned = PAGE.match(/\bstream\.[a-z_]+\b/g) ?? [];
    expect([...new Set(mentioned)].sort()).toEqual(CONTROL_EVENTS);
  });

  it.each(['stream.connected', 'stream.gap'] as const)('lists the members of %s', (name) => {
    const members = tableRows(PAGE, name.replace('.', '-')).map(([member]) => codeOf(member));
    expect(members).toEqual(Object.keys(SHAPES[name]));
  });

  it('has sections that are numbered in a row', () => {
    const numbers = [...PAGE.matchAll(/^## (\d+) /gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    for (const number of numbers) {
      const own = [...PAGE.matchAll(new RegExp(`^### ${number}\\.(\\d+) `, 'gm'))];
      expect(own.map(([, sub]) => Number(sub))).toEqual(own.map((_, index) => index + 1));
    }
  });

  it('links to sections that are there', () => {
    const titles = [...PAGE.matchAll(/^#+ (.+)$/gm)].map(([, title]) => anchorOf(title as string));
    const links = [...PAGE.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    const numbers = [...PAGE.matchAll(/section (\d+(?:\.\d+)?)/g)].map(([, number]) => number);
    const own = [...PAGE.matchAll(/^#+ (\d+(?:\.\d+)?) /gm)].map(([, number]) => number);
    expect(links.filter((link) => !titles.includes(link as string))).toEqual([]);
    // Sections of other documents are named with the document before them.
    const foreign = [
      ...PAGE.matchAll(/(?:RFC \d+|format|standard\]\([^)]+\)),\s+section ([\d.]+\d)/g),
    ];
    const foreignNumbers = foreign.map(([, number]) => number);
    expect(numbers.filter((n) => !own.includes(n) && !foreignNumbers.includes(n))).toEqual([]);
  });
});

describe('the session in docs/PROTOCOL.md', () => {
  const streams = codeBlocks(PAGE)
    .filter(({ language }) => language === 'event-stream')
    .map(({ code }) => read(code));

  it('is of two streams', () => {
    expect(streams).toHaveLength(2);
  });

  it.each(streams.map((stream, index) => ({ ...stream, number: index + 1 })))(
    'opens stream $number with stream.connected, its id and its retry',
    ({ messages, retries }) => {
      const [first] = messages;
      expect(first?.event).toBe('stream.connected');
      expect(parseCursor(first?.id ?? '')).not.toBeNull();
      expect(retries[0]).toBeGreaterThan(0);
      expect(retries[0]).toBeLessThan(TERMINAL_RETRY_MS);
    },
  );

  it('holds events and control events of the shapes that the code has', () => {
    const seen = streams.flatMap(({ messages }) => messages);
    expect(seen.length).toBeGreaterThan(4);
    for (const { event, data, id } of seen) {
      if (event === undefined) expectEvent(JSON.parse(data), id);
      else if (event === 'stream.error') expectProblem(JSON.parse(data));
      else expectControl(event, JSON.parse(data));
    }
  });

  it('goes on in the second stream where the first one stopped', () => {
    const [first, second] = streams.map(({ code }) =>
      [...code.matchAll(/^id: (.+)$/gm)].map(([, id]) => parseCursor(id as string)),
    );
    const resumedAt = PAGE.match(/^Last-Event-ID: (.+)$/m)?.[1];
    expect(parseCursor(resumedAt ?? '')).toEqual(first?.at(-1));
    expect(second?.[0]).toEqual(first?.at(-1));
    const offsets = [...(first ?? []), ...(second ?? []).slice(1)].map((cursor) => cursor?.offset);
    expect(offsets).toEqual(offsets.map((_, index) => (offsets[0] as number) + index));
  });

  it('ends with the terminal retry', () => {
    expect(streams[1]?.retries.at(-1)).toBe(TERMINAL_RETRY_MS);
    expect(streams[1]?.messages.at(-1)?.event).toBe('stream.error');
  });
});

describe('the examples in docs/PROTOCOL.md', () => {
  it('are JSON', () => {
    const blocks = codeBlocks(PAGE).filter(({ language }) => language === 'json');
    expect(blocks.length).toBeGreaterThan(0);
    for (const { code } of blocks) expect(() => JSON.parse(code)).not.toThrow();
  });

  it('have a problem document as the service writes it', () => {
    const block = codeBlocks(PAGE).find(({ code }) => code.includes('"urn:sluice:error:'));
    expectProblem(JSON.parse(block?.code ?? ''));
  });
});

interface ReadStream {
  readonly code: string;
  readonly messages: readonly EventSourceMessage[];
  readonly retries: readonly number[];
}

/** Reads a stream with a parser that is not ours. */
function read(code: string): ReadStream {
  const messages: EventSourceMessage[] = [];
  const retries: number[] = [];
  const parser = createParser({
    onEvent: (message) => messages.push(message),
    onRetry: (retry) => retries.push(retry),
    onError: (error) => {
      throw error;
    },
  });
  parser.feed(code);
  return { code, messages, retries };
}

function expectEvent(value: unknown, id: string | undefined): void {
  const defaults = { id: () => '', source: '', time: () => '' };
  expect(readCloudEvent(value, defaults)).toEqual({ event: value });
  expect(parseCursor(id ?? '')).not.toBeNull();
}

function expectControl(name: string, data: Record<string, unknown>): void {
  expect(Object.keys(SHAPES)).toContain(name);
  const kinds = Object.entries(data).map(([member, value]) => [member, typeof value]);
  expect(Object.fromEntries(kinds)).toEqual(SHAPES[name as keyof typeof SHAPES]);
}

function expectProblem(problem: Problem): void {
  const { code, requestId, detail, retryAfterMs } = problem;
  if (!isServiceErrorCode(code)) throw new Error(`there is no code ${code}`);
  const about = {
    requestId,
    ...(detail !== undefined && { detail }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
  expect(problem).toEqual(problemOf(code, about));
}

/** The anchor that a Markdown page gives a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
