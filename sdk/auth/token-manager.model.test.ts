import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { RealtimeError } from '../errors.js';
import { StopRetrying } from './stop-retrying.js';
import { tokenFailure } from './token-failure.js';
import { type Token, TokenManager } from './token-manager.js';
import type { SourcedToken, TokenRequest, TokenSource } from './token-source.js';

interface Request {
  readonly signal: AbortSignal;
  answer(token: SourcedToken): void;
  refuse(error: Error): void;
}

/** A source that knows which of its requests are still wanted. */
class WatchedSource implements TokenSource {
  readonly canRenew = true;
  readonly renewsAhead = true;
  /** The most requests that were wanted at a time. */
  most = 0;
  #requests: Request[] = [];

  get wanted(): Request[] {
    return this.#requests.filter(({ signal }) => !signal.aborted);
  }

  fetch({ signal }: TokenRequest): Promise<SourcedToken> {
    return new Promise((answer, refuse) => {
      this.#requests.push({ signal, answer, refuse });
      this.most = Math.max(this.most, this.wanted.length);
    });
  }

  /** Settles every request, also those that nobody wants any more. */
  settle(act: (request: Request) => void): void {
    const requests = this.#requests;
    this.#requests = [];
    requests.forEach(act);
  }
}

/** A token manager, and what must be true of it. */
class Model {
  readonly source = new WatchedSource();
  readonly tokens = new TokenManager(this.source, () => this.#renewals++);
  /** What `get` has come to since the last check. */
  readonly #outcomes: (Token | Error)[] = [];
  readonly #handedOut: { readonly token: Token; readonly generation: number }[] = [];
  /** What the token of now must be; `null` before the first one. */
  #current: string | null = null;
  #generation = 0;
  #isRefused = false;
  /** Whether the token of now came after a refusal, and was not let in since. */
  #isForced = false;
  #hadAt = 0;
  #renewals = 0;
  #answers = 0;

  async check(step: Step): Promise<void> {
    const renewals = this.#renewals;
    const generation = this.#generation;
    await step.run(this);
    await jest.advanceTimersByTimeAsync(0);
    for (const outcome of this.#outcomes.splice(0)) this.#checkOutcome(outcome);
    expect(this.source.most).toBeLessThanOrEqual(1);
    // A renewal is told of once, and only if a token has come.
    expect(this.#renewals - renewals).toBeLessThanOrEqual(this.#generation - generation);
  }

  get(): void {
    this.tokens.get().then(
      (token) => this.#outcomes.push(token),
      (error) => this.#outcomes.push(error),
    );
  }

  answer(): void {
    const value = `s${++this.#answers}`;
    if (this.source.wanted.length > 0) this.#become(value, this.#isRefused);
    this.source.settle(({ answer }) => answer({ value, lifetimeMs: null }));
  }

  /** The source knows of no other token than that of now. */
  answerSame(): void {
    const value = this.#current;
    if (value === null) return;
    this.source.settle(({ answer }) => answer({ value, lifetimeMs: null }));
  }

  set(value: string): void {
    const isNew = value !== this.#current;
    expect(this.tokens.set(value)).toBe(isNew);
    if (!isNew) return;
    this.#become(value, false);
    expect(this.source.wanted).toHaveLength(0);
  }

  accept({ back, lifeMs }: { back: number; lifeMs: number }): void {
    const meant = this.#handedOut.at(-1 - back);
    if (meant === undefined) return;
    if (meant.generation === this.#generation) this.#isForced = false;
    this.tokens.accepted(meant.token, new Date(Date.now() + lifeMs).toISOString());
  }

  renewAhead({ back }: { back: number }): void {
    const meant = this.#handedOut.at(-1 - back);
    if (meant !== undefined) this.tokens.renewAhead(meant.token);
  }

  refuse({ back, reason }: { back: number; reason: 'expired' | 'rejected' }): void {
    const meant = this.#handedOut.at(-1 - back);
    if (meant === undefined) return;
    const isOfNow = meant.generation === this.#generation;
    const hasRunOut = reason === 'expired' && performance.now() - this.#hadAt > 5_000;
    const isFinal = isOfNow && this.#isForced && !hasRunOut;
    expect(this.tokens.refused(meant.token, reason)).toBe(!isFinal);
    if (isOfNow) this.#isRefused = true;
  }

  rest(): void {
    this.tokens.rest();
    this.#expectCalm();
  }

  async close(): Promise<void> {
    this.tokens.close();
    await jest.advanceTimersByTimeAsync(0);
    this.#expectCalm();
  }

  #checkOutcome(outcome: Token | Error): void {
    if (outcome instanceof Error) {
      expect(outcome).toBeInstanceOf(RealtimeError);
      return;
    }
    expect(outcome.value).toBe(this.#current);
    if (this.#handedOut.at(-1)?.token !== outcome) {
      this.#handedOut.push({ token: outcome, generation: this.#generation });
    }
  }

  #become(value: string, isForced: boolean): void {
    this.#current = value;
    this.#generation++;
    this.#hadAt = performance.now();
    this.#isForced = isForced;
    this.#isRefused = false;
  }

  #expectCalm(): void {
    expect(this.source.wanted).toHaveLength(0);
    expect(jest.getTimerCount()).toBe(0);
  }
}

interface Step {
  run(model: Model): void | Promise<void>;
}

function step<T>(
  name: string,
  given: fc.Arbitrary<T>,
  run: (model: Model, given: T) => void | Promise<void>,
): fc.Arbitrary<Step> {
  return given.map((value) => ({
    run: (model) => run(model, value),
    [fc.toStringMethod]: () => `${name} ${fc.stringify(value)}`,
  }));
}

const nothing = fc.constant(null);
/** Which of the tokens that were handed out is meant, counted from the last one; mostly that one. */
const back = fc.constantFrom(0, 0, 0, 1, 2);
const reason = fc.constantFrom<'expired' | 'rejected'>('expired', 'rejected');
const lifeMs = fc.constantFrom(-1_000, 1, 4_000, 30_000, 900_000, 2 ** 32);
const failure = fc.constantFrom(
  new Error('down'),
  new StopRetrying(),
  tokenFailure({ retryAfterMs: 20_000 }),
);
const get = step('get', nothing, (model) => model.get());
const answer = step('answer', nothing, (model) => model.answer());
const accept = step('accept', fc.record({ back, lifeMs }), (model, given) => model.accept(given));

/** What an application, its source, the service and the time may do, in any order. */
const anyStep = fc.oneof(
  get,
  get,
  answer,
  answer,
  accept,
  accept,
  step('answer the same', nothing, (model) => model.answerSame()),
  step('fail', failure, (model, error) => model.source.settle(({ refuse }) => refuse(error))),
  // Few values, so that one comes again.
  step('set', fc.constantFrom('a', 'b', 'c'), (model, value) => model.set(value)),
  step('renew ahead', fc.record({ back }), (model, given) => model.renewAhead(given)),
  step('refuse', fc.record({ back, reason }), (model, given) => model.refuse(given)),
  step('set the clock', fc.integer({ min: -9_000_000, max: 9_000_000 }), (model, ms) =>
    model.tokens.setServerTime(Date.now() + ms),
  ),
  step('rest', nothing, (model) => model.rest()),
  step('wait', fc.constantFrom(1, 999, 6_000, 61_000, 900_000), async (_, ms) => {
    await jest.advanceTimersByTimeAsync(ms);
  }),
);

describe('the token manager, whatever happens in whatever order', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('asks for one token at a time, never takes an older one, and leaves nothing behind', async () => {
    const steps = fc.array(anyStep, { maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const model = new Model();
        for (const each of all) await model.check(each);
        await model.close();
      }),
      { numRuns: 1_000 },
    );
  });
});
