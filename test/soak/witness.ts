import { matchesPattern, type RealtimeEvent } from '@sluice/protocol';
import { Checker } from './checker.js';
import type { Publication } from './ledger.js';

/** What a subscriber asks for, and what it may see. */
export interface Wish {
  readonly workspace: string;
  /** Patterns that it asks for; empty: all that it may see. */
  readonly topics: readonly string[];
  /** Patterns that its token permits. */
  readonly permitted: readonly string[];
}

/** A time without a stream. */
export interface Outage {
  readonly ms: number;
  /** In ms since 1970. */
  readonly endedAt: number;
}

/** Takes down what becomes of one subscriber. */
export class Witness {
  readonly checker: Checker;
  /** Why it ended for good, which nothing here should bring about. */
  readonly faults: string[] = [];
  slowestDeliveryMs = 0;
  /** How far it has come, over all its streams. */
  cursor: string | null = null;
  #longestOutage: Outage = { ms: 0, endedAt: 0 };
  #downSince: number | null = null;

  constructor({ workspace, topics, permitted }: Wish) {
    this.checker = new Checker({
      workspace,
      wants: (topic) =>
        permitted.some((pattern) => matchesPattern(pattern, topic)) &&
        (topics.length === 0 || topics.some((pattern) => matchesPattern(pattern, topic))),
    });
  }

  /** The one that lasts counts too. */
  get longestOutage(): Outage {
    const current = this.#currentOutage();
    return current.ms > this.#longestOutage.ms ? current : this.#longestOutage;
  }

  /** It wants a stream and has none. */
  onDown(): void {
    this.#downSince ??= performance.now();
  }

  onUp(cursor: string | null): void {
    this.#longestOutage = this.longestOutage;
    this.#downSince = null;
    if (cursor === null) return;
    this.checker.onStart(cursor);
    this.cursor ??= cursor;
  }

  /** It wants no stream for a while. */
  onAway(): void {
    this.#longestOutage = this.longestOutage;
    this.#downSince = null;
  }

  /** The stream has come so far without an event. */
  onCursor(cursor: string): void {
    this.cursor = cursor;
    this.checker.onCursor(cursor);
  }

  onGap(from: string, cursor: string): void {
    this.cursor = cursor;
    this.checker.onGap(from, cursor);
  }

  onEvent(event: RealtimeEvent, cursor: string): void {
    const { at, ...publication } = event.data as Publication & { readonly at: number };
    this.cursor = cursor;
    this.checker.onEvent({ ...publication, topic: event.topic }, cursor);
    this.slowestDeliveryMs = Math.max(this.slowestDeliveryMs, Date.now() - at);
  }

  #currentOutage(): Outage {
    const ms = this.#downSince === null ? 0 : performance.now() - this.#downSince;
    return { ms, endedAt: Date.now() };
  }
}

/** Somebody who subscribes throughout the soak. */
export interface SoakSubscriber {
  /** For the report of a fault. */
  readonly name: string;
  /** Whether it is always there, and takes what comes at once. */
  readonly isPrompt: boolean;
  readonly witness: Witness;
  /** Subscribes; resolves when it is told to stay, and stays until it is closed. */
  run(): Promise<void>;
  close(): void;
}
