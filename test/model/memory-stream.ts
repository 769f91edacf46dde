import {
  encodeFrame,
  problemOf,
  type ServiceErrorCode,
  type StreamGap,
  TERMINAL_RETRY_MS,
} from '@sluice/protocol';
import { MemoryBody } from './memory-body.js';
import { isWanted, type LoggedEvent, type MemoryLog } from './memory-log.js';

const HEARTBEAT_MS = 15_000;
const NOTICE_MS = 60_000;

export interface StreamOptions {
  readonly log: MemoryLog;
  readonly topics: readonly string[];
  readonly lastEventId: string | null;
  /** By the clock of the client, which the service knows nothing of. */
  readonly expiresAtMs: number;
  /** The same by the clock of the service. */
  readonly expiresAt: string;
  /** Whether it begins with events that the client has seen already, as a service may. */
  readonly repeatsItself: boolean;
}

/** One open stream as the service keeps it (PROTOCOL.md, section 4). */
export class MemoryStream {
  readonly body = new MemoryBody();
  readonly #options: StreamOptions;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  /** How far it has told the client to be. */
  #reached = '';
  #state: 'opening' | 'live' | 'stalled' | 'over' = 'opening';

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#state !== 'over';
  }

  /** Whether it has not said `stream.connected` yet. */
  get isOpening(): boolean {
    return this.#state === 'opening';
  }

  get isLive(): boolean {
    return this.#state === 'live';
  }

  /** Begins, with what the client has missed. How many gaps it tells of. */
  begin(): number {
    const { log, lastEventId, expiresAt } = this.#options;
    if (!this.isOpening) return 0;
    const { resumed, offset, gap } = log.resume(lastEventId);
    this.#state = 'live';
    const start = log.cursorAt(offset);
    this.#reached = start;
    this.#control(
      'stream.connected',
      {
        connectionId: 'c1',
        workspace: 'acme',
        subject: 'alice',
        expiresAt,
        resumed,
      },
      { retry: 2_000, ...(gap === null && { id: start }) },
    );
    if (gap !== null) this.#control('stream.gap', gap, { id: start });
    const repeated = resumed === 'complete' && this.#options.repeatsItself ? 2 : 0;
    const passages = log.after(offset, repeated);
    for (const passage of passages) {
      if ('topic' in passage) this.send(passage);
      else this.tellGap('lost', passage.lostBefore);
    }
    this.#startTimers();
    return (gap === null ? 0 : 1) + passages.filter((passage) => 'lostBefore' in passage).length;
  }

  /** History is gone while it lives; it goes on behind `cursor`. */
  tellGap(reason: StreamGap['reason'], cursor: string): void {
    if (!this.isLive) return;
    const gap = { from: this.#reached, oldest: this.#options.log.oldest, reason };
    this.#reached = cursor;
    this.#control('stream.gap', gap, { id: cursor });
  }

  send(event: LoggedEvent): void {
    if (!this.isLive || !isWanted(this.#options.topics, event)) return;
    this.#reached = event.cursor;
    this.body.write(frameOf(event));
  }

  announceExpiry(): void {
    if (!this.isLive) return;
    this.#control('stream.token_expiring', { expiresAt: this.#options.expiresAt });
  }

  /** An end that is the service's choice. */
  refuse(code: ServiceErrorCode): void {
    if (!this.isLive) return;
    const isTerminal = ['TOKEN_EXPIRED', 'INVALID_TOKEN', 'FORBIDDEN'].includes(code);
    const problem = problemOf(code, { requestId: 'r1' });
    this.#control('stream.error', problem, isTerminal ? { retry: TERMINAL_RETRY_MS } : {});
    this.#finish();
    this.body.end();
  }

  /** @param graceMs how long it stays open beyond that time; `null` where it ends at once */
  drain(reconnectInMs: number, graceMs: number | null): void {
    if (!this.isLive) return;
    this.#control('stream.draining', { reconnectInMs }, { retry: reconnectInMs });
    if (graceMs === null) this.refuse('UNAVAILABLE');
    else this.#timers.push(setTimeout(() => this.refuse('UNAVAILABLE'), reconnectInMs + graceMs));
  }

  cut(): void {
    this.#finish();
    this.body.cut();
  }

  /** Breaks within the frame of an event, which has not come then. */
  cutWithin(event: LoggedEvent): void {
    if (this.isLive) this.body.write(frameOf(event).slice(0, -7));
    this.cut();
  }

  /** Says nothing more, not even a heartbeat, and stays open: a peer that vanished. */
  stall(): void {
    if (this.isOpen) this.#state = 'stalled';
    this.#stopTimers();
  }

  #startTimers(): void {
    const { expiresAtMs } = this.#options;
    const leftMs = expiresAtMs - Date.now();
    const noticeMs = Math.max(leftMs - NOTICE_MS, leftMs * 0.8);
    this.#timers.push(
      setInterval(() => this.#heartbeat(), HEARTBEAT_MS),
      setTimeout(() => this.announceExpiry(), noticeMs),
      setTimeout(() => this.refuse('TOKEN_EXPIRED'), leftMs),
    );
  }

  #heartbeat(): void {
    const { head } = this.#options.log;
    this.body.write(encodeFrame({ comment: 'ping', ...(head !== this.#reached && { id: head }) }));
    this.#reached = head;
  }

  #control(event: string, data: object, fields: { id?: string; retry?: number } = {}): void {
    this.body.write(encodeFrame({ ...fields, event, data: JSON.stringify(data) }));
  }

  #finish(): void {
    this.#state = 'over';
    this.#stopTimers();
  }

  #stopTimers(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }
}

function frameOf({ cursor, topic }: LoggedEvent): string {
  const data = {
    specversion: '1.0',
    id: `event-${cursor}`,
    source: '/workspaces/acme',
    type: 'record.updated',
    time: '2025-01-01T00:00:00Z',
    topic,
  };
  return encodeFrame({ id: cursor, data: JSON.stringify(data) });
}
