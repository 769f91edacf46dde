import fc from 'fast-check';
import type { DoorFault } from './memory-service.js';
import { type System, settled, TOPICS } from './system.js';
import type { Mood } from './token-desk.js';

/** The model knows no more than that the run goes on: what must hold is held by the system at each step. */
type Model = object;

/** One thing that happens to the client. */
export class Step implements fc.AsyncCommand<Model, System> {
  readonly #name: string;
  readonly #act: (system: System) => void | Promise<void>;
  /** Whether the next step waits until all that follows from this one has happened. */
  readonly #isSettled: boolean;

  constructor(name: string, act: (system: System) => void | Promise<void>, isSettled: boolean) {
    this.#name = name;
    this.#act = act;
    this.#isSettled = isSettled;
  }

  check(): boolean {
    return true;
  }

  async run(_model: Model, system: System): Promise<void> {
    await this.#act(system);
    if (this.#isSettled) await settled();
    system.check(this.#isSettled);
  }

  toString(): string {
    return this.#isSettled ? this.#name : `${this.#name} &`;
  }
}

type Act<T> = (system: System, value: T) => void | Promise<void>;

/** Steps of one kind, with a value that is drawn. */
function steps<T>(name: string, values: fc.Arbitrary<T>, act: Act<T>): fc.Arbitrary<Step> {
  return fc
    .tuple(values, fc.boolean())
    .map(
      ([value, isSettled]) =>
        new Step(
          value === undefined ? name : `${name} ${JSON.stringify(value)}`,
          (system) => act(system, value),
          isSettled,
        ),
    );
}

function step(name: string, act: (system: System) => void): fc.Arbitrary<Step> {
  return steps(name, fc.constant(undefined), act);
}

const MINUTE = 60_000;
const moods: readonly Mood[] = ['good', 'slow', 'hangs', 'fails', 'stops', 'bad', 'stale'];

const doorFaults: readonly DoorFault[] = [
  { kind: 'refusal', code: 'INVALID_TOKEN' },
  { kind: 'refusal', code: 'TOKEN_EXPIRED' },
  { kind: 'refusal', code: 'FORBIDDEN' },
  { kind: 'refusal', code: 'RATE_LIMIT_EXCEEDED', retryAfterSeconds: 20 },
  { kind: 'refusal', code: 'UNAVAILABLE' },
  { kind: 'network' },
  { kind: 'no-content' },
  { kind: 'slow-head', ms: 3_000 },
  { kind: 'slow-head', ms: MINUTE },
  { kind: 'slow-start', ms: 2_000 },
  { kind: 'slow-start', ms: 2 * MINUTE },
];

const wishes = fc.record({
  topics: fc.constantFrom<string[][]>([], ['a.1'], ['a.*'], ['b.1'], ['a.1', 'b.*'], ['secret']),
  /** Where it begins: so many events before the head; `null` with what comes. */
  back: fc.option(fc.nat(6), { freq: 2 }),
  iterates: fc.boolean(),
});

const common = [
  steps('subscribe', wishes, (system, { topics, back, iterates }) => {
    const { log } = system.service;
    const lastEventId = back === null ? {} : { lastEventId: log.cursorBefore(back) };
    system.subscribe({ topics, iterates, ...lastEventId });
  }),
  steps('publish', fc.constantFrom(...TOPICS), ({ service }, topic) => service.publish(topic)),
  steps('advance', fc.constantFrom(10, 1_000, 5_000, MINUTE, 5 * MINUTE), (system, ms) =>
    system.advance(ms),
  ),
];

const rare = [
  step('resubscribe to another log', (system) =>
    system.subscribe({ topics: [], iterates: false, lastEventId: 'ZZZZZZZZ-3' }),
  ),
  steps('unsubscribe', fc.nat(3), (system, index) => system.unsubscribe(index)),
  step('cut', ({ service }) => service.cutStreams()),
  steps('cut within', fc.constantFrom(...TOPICS), ({ service }, topic) =>
    service.publishIntoCut(topic),
  ),
  step('stall', ({ service }) => service.stallStreams()),
  steps('drain', fc.constantFrom(null, 0, 2_000, MINUTE), ({ service }, graceMs) =>
    service.drainStreams(3_000, graceMs),
  ),
  step('refuse in the stream', ({ service }) => service.refuseStreams('FORBIDDEN')),
  step('slow consumer', ({ service }) => service.refuseStreams('SLOW_CONSUMER')),
  step('announce the end of the token', ({ service }) => service.announceExpiry()),
  step('expire tokens', ({ service }) => service.expireTokens()),
  step('revoke tokens', ({ service }) => service.revokeTokens()),
  steps('at the door', fc.constantFrom(...doorFaults), ({ service }, fault) =>
    service.receiveWith(fault),
  ),
  steps('desk', fc.constantFrom(...moods), ({ desk }, mood) => {
    desk.mood = mood;
  }),
  steps('set token', fc.constantFrom('same', 'new', 'bad'), (system, kind) =>
    system.setToken(kind),
  ),
  steps('move', fc.tuple(fc.constantFrom(0, 1), fc.boolean()), (system, [index, withToken]) =>
    system.move(index, withToken),
  ),
  step('reconnect', ({ client }) => client.reconnect()),
  step('offline', ({ page, service }) => {
    page.goOffline();
    service.isReachable = false;
    service.cutStreams();
  }),
  step('online', ({ page, service }) => {
    service.isReachable = true;
    page.goOnline();
  }),
  step('hide', ({ page }) => page.hide()),
  step('show', ({ page }) => page.show()),
  step('put away', ({ page }) => page.putAway()),
  step('bring back', ({ page }) => page.bringBack()),
  steps('trim', fc.nat(3), ({ service }, kept) => service.log.trim(kept)),
  step('lose the log', ({ service }) => service.loseLog()),
  step('lose the log behind the streams', ({ service }) => service.loseLogBehindStreams()),
  steps('replace the server of the log', fc.constantFrom(null, 0, 3), ({ service }, lost) =>
    service.replaceLogServer(lost),
  ),
];

const last = [
  steps('close', fc.constantFrom('close', 'abort'), (system, how) => system.close(how)),
];

/** A life of a client: mostly events and time, now and then a trouble, seldom an end. */
export const lives = fc.commands([...common, ...common, ...common, ...common, ...rare, ...last], {
  maxCommands: 60,
  size: 'max',
});
