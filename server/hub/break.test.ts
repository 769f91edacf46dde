import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Cursor } from '@sluice/protocol';
import fc from 'fast-check';
import { BreakableLog } from '../../test/support/breakable-log.js';
import { RecordingFollower, type RecordingOptions } from '../../test/support/recording-follower.js';
import { createFilter } from './filter.js';
import { Hub } from './hub.js';

const LIMITS = {
  heartbeatMs: 3_600_000,
  retryMs: 2_000,
  maxBacklogBytes: 65_536,
  stallMs: 3_600_000,
};

let log: BreakableLog;
let hub: Hub;

beforeEach(() => {
  log = new BreakableLog();
  hub = new Hub(log, LIMITS);
});
afterEach(() => hub.close());

async function subscribe(
  cursor: Cursor | null = null,
  options: RecordingOptions = {},
): Promise<RecordingFollower> {
  let follower: RecordingFollower | undefined;
  await hub.subscribe('acme', cursor, (start) => {
    follower = new RecordingFollower(hub, start, options);
    return follower;
  });
  return follower as RecordingFollower;
}

const append = (count: number, topic = 'orders') =>
  log.append(
    'acme',
    Array.from({ length: count }, () => ({ topic, type: 'changed', json: '{}' })),
  );
const topics = (...patterns: string[]) =>
  createFilter({ topics: patterns, types: null, permitted: null });

describe('a live stream', () => {
  it('goes on in a log that was made anew, and is told that it is another one', async () => {
    await append(3);
    const stream = await subscribe({ epoch: log.epoch, offset: 0 });
    await stream.until(({ offsets }) => offsets.length === 3);
    log.renew();
    await append(2);
    await stream.until(({ offsets }) => offsets.length === 5);
    expect(stream.offsets).toEqual([1, 2, 3, 1, 2]);
    expect(stream.gaps).toEqual([
      { from: '00000001-3', epoch: '00000002', resumesAt: 0, oldest: 0, reason: 'unknown_epoch' },
    ]);
    expect(stream.isClosed).toBe(false);
  });

  it('crosses a seam behind which nothing is missing without a word', async () => {
    await append(2);
    const stream = await subscribe({ epoch: log.epoch, offset: 0 });
    await stream.until(({ offsets }) => offsets.length === 2);
    log.failOver(1, true);
    await append(1);
    await stream.until(({ offsets }) => offsets.length === 3);
    expect(stream.offsets).toEqual([1, 2, 1_003]);
    expect(stream.gaps).toEqual([]);
  });

  it('is told of a seam behind which something may be missing, also where no event follows', async () => {
    await append(2);
    const streams = await Promise.all([
      subscribe(),
      subscribe(null, { filter: topics('other') }),
      subscribe({ epoch: log.epoch, offset: 1 }),
    ]);
    log.failOver(0, false);
    const gap = { epoch: log.epoch, resumesAt: 1_001, oldest: 1_001, reason: 'lost' };
    for (const stream of streams) await stream.until(({ gaps }) => gaps.length === 1);
    expect(streams.map(({ gaps }) => gaps[0])).toEqual(
      Array.from({ length: 3 }, () => ({ from: '00000001-2', ...gap })),
    );
  });

  it('is told of what was trimmed before the hub had heard of it', async () => {
    await append(2);
    const stream = await subscribe();
    const events = Array.from({ length: 10 }, () => ({ topic: 'a', type: 'b', json: '{}' }));
    log.trimUnheard(events, 4);
    await stream.until(({ offsets }) => offsets.length === 4);
    expect(stream.offsets).toEqual([9, 10, 11, 12]);
    expect(stream.gaps).toMatchObject([{ from: '00000001-2', oldest: 8, reason: 'expired' }]);
  });

  it('whose socket takes nothing is not written to until it does', async () => {
    const stream = await subscribe();
    stream.stick();
    await append(1);
    await stream.until(({ blockedSince }) => blockedSince > 0);
    log.renew();
    await append(2);
    stream.free();
    await stream.until(({ offsets }) => offsets.length === 3);
    expect(stream.offsets).toEqual([1, 1, 2]);
  });

  it('is not opened while the log cannot be reached; those that are open stay', async () => {
    const stream = await subscribe();
    log.isAvailable = false;
    await expect(subscribe()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    log.isAvailable = true;
    await append(1);
    await stream.until(({ offsets }) => offsets.length === 1);
  });
});

describe('a stream that resumes', () => {
  it('is told of the seam where it stands in the history, and gets what is before and behind it', async () => {
    await append(5);
    log.failOver(2, false);
    await append(2);
    const stream = await subscribe({ epoch: log.epoch, offset: 1 });
    expect(stream.start.resumed).toBe('complete');
    await stream.until(({ offsets }) => offsets.length === 4);
    expect(stream.offsets).toEqual([2, 3, 1_006, 1_007]);
    expect(stream.gaps).toMatchObject([{ from: '00000001-3', oldest: 1_004, reason: 'lost' }]);
  });

  it.each([true, false])(
    'is told of a gap where a seam passes over its cursor, which a former server gave out (others are there: %s)',
    async (isFollowed) => {
      await append(3);
      const others = isFollowed ? [await subscribe()] : [];
      log.failOver(0, true);
      await append(2);
      for (const other of others) await other.until(({ offsets }) => offsets.length === 2);
      const [astray, ...known] = await Promise.all(
        [500, 3, 1_003].map((offset) => subscribe({ epoch: log.epoch, offset })),
      );
      for (const stream of [astray, ...known]) {
        await stream?.until(({ offsets }) => offsets.length === 2);
        expect(stream?.offsets).toEqual([1_004, 1_005]);
      }
      const gap = { from: '00000001-500', resumesAt: 1_003, reason: 'lost' };
      expect(astray?.gaps).toMatchObject([gap]);
      for (const { gaps } of [...known, ...others]) expect(gaps).toEqual([]);
    },
  );

  it('shares its read with others that stand close to it, whatever they ask for', async () => {
    await append(400);
    const cursors = Array.from({ length: 50 }, (_, index) => ({
      epoch: log.epoch,
      offset: 320 + index,
    }));
    const streams = await Promise.all(
      cursors.map((cursor, index) =>
        subscribe(cursor, { filter: topics(index % 2 === 0 ? 'orders' : '*') }),
      ),
    );
    for (const stream of streams) {
      await stream.until(({ offsets }) => offsets.at(-1) === 400);
      expect(stream.offsets).toHaveLength(400 - stream.start.offset);
    }
    expect(log.reads).toBe(1);
  });

  it('asks again where the answer that it shared was older than its cursor', async () => {
    await append(1);
    await subscribe();
    const early = subscribe({ epoch: log.epoch, offset: 0 });
    // The question of the first one is under way; nobody here has heard of what comes now.
    log.trimUnheard([{ topic: 'a', type: 'b', json: '{}' }], 2);
    const late = await subscribe({ epoch: log.epoch, offset: 2 });
    expect(late.start).toMatchObject({ resumed: 'complete', offset: 2 });
    await early;
  });
});

/** Far more than any of these lives takes to come to rest. */
const SETTLE_MS = 2_000;

async function within(ms: number, promise: Promise<void>, what: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never came: ${what()}`)), ms);
  });
  await Promise.race([promise, overdue]).finally(() => clearTimeout(timer));
}

type Step =
  | { readonly kind: 'append'; readonly count: number; readonly topic: string }
  | { readonly kind: 'subscribe'; readonly back: number; readonly topic: string | null }
  | { readonly kind: 'break'; readonly how: 'renew' | 'durable' | 'lossy'; readonly lost: number }
  | { readonly kind: 'turns'; readonly count: number }
  | { readonly kind: 'stick' | 'free'; readonly which: number };

const topic = fc.constantFrom('a', 'b');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('append' as const),
    count: fc.integer({ min: 1, max: 700 }),
    topic,
  }),
  fc.record({
    kind: fc.constant('subscribe' as const),
    back: fc.integer({ min: 0, max: 900 }),
    topic: fc.option(topic),
  }),
  fc.record({
    kind: fc.constant('break' as const),
    how: fc.constantFrom('renew' as const, 'durable' as const, 'lossy' as const),
    lost: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constantFrom('stick' as const, 'free' as const), which: fc.nat(5) }),
);

describe('whatever breaks, and whenever', () => {
  it('no stream misses an event without being told of a gap before the next one, or gets one twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const life = new Life();
        for (const each of steps) await life.take(each);
        await life.settle();
        life.hub.close();
      }),
      { numRuns: 300 },
    );
  });
});

/** One history of a log, with its streams and what each of them must have got. */
class Life {
  readonly log = new BreakableLog();
  readonly hub = new Hub(this.log, LIMITS);
  readonly streams: RecordingFollower[] = [];

  async take(step: Step): Promise<void> {
    const stream = 'which' in step ? this.streams[step.which % this.streams.length] : undefined;
    switch (step.kind) {
      case 'append': {
        const event = { topic: step.topic, type: 'changed', json: '{}' };
        await this.log.append(
          'acme',
          Array.from({ length: step.count }, () => event),
        );
        return;
      }
      case 'subscribe':
        return this.#subscribe(step.back, step.topic);
      case 'break':
        if (step.how === 'renew') this.log.renew();
        else this.log.failOver(Math.min(step.lost, this.#appendedLast()), step.how === 'durable');
        return;
      case 'turns':
        for (let turn = 0; turn < step.count; turn++) await new Promise(setImmediate);
        return;
      case 'stick':
        return stream?.stick();
      case 'free':
        return stream?.free();
    }
  }

  /** When all has come, each stream that lives ends with just what the log holds behind its last gap. */
  async settle(): Promise<void> {
    for (const stream of this.streams) stream.free();
    const event = { topic: 'a', type: 'changed', json: '{}' };
    await this.log.append('acme', [event, { ...event, topic: 'b' }]);
    const { head } = this.log.here;
    for (const stream of this.streams.filter(({ isClosed }) => !isClosed)) {
      const last = stream.filter.topics?.[0] === 'a' ? head - 1 : head;
      const hasLast = stream.until(({ offsets, isClosed }) => isClosed || offsets.at(-1) === last);
      // So that a counterexample is found and made small.
      await within(SETTLE_MS, hasLast, () => `${last} after ${stream.offsets.slice(-3)}`);
      if (!stream.isClosed) this.#check(stream);
    }
  }

  #check({ offsets, gaps, start, filter }: RecordingFollower): void {
    const from = gaps.at(-1)?.resumesAt ?? start.offset;
    // What it got and is lost now was told to nobody else.
    const kept = this.log.entries.filter(
      ({ offset, frame, topic }) =>
        offset > from && frame.length > 0 && (filter.topics?.includes(topic) ?? true),
    );
    const wanted = kept.map(({ offset }) => offset);
    const got = offsets.filter((offset) => wanted.includes(offset));
    expect(got.slice(got.length - wanted.length)).toEqual(wanted);
    const epochs = gaps.filter(({ reason }) => reason === 'unknown_epoch').length;
    const falls = offsets.filter((offset, index) => offset <= (offsets[index - 1] ?? -1)).length;
    expect(falls).toBeLessThanOrEqual(epochs);
  }

  #appendedLast(): number {
    const { entries } = this.log;
    const seam = entries.findLastIndex(({ frame }) => frame.length === 0);
    return entries.length - 1 - seam;
  }

  async #subscribe(back: number, topic: string | null): Promise<void> {
    const { epoch, head } = this.log.here;
    const cursor = back === 0 ? null : { epoch, offset: Math.max(0, head - back) };
    const filter = topic === null ? topics('*') : topics(topic);
    await this.hub
      .subscribe('acme', cursor, (start) => {
        const stream = new RecordingFollower(this.hub, start, { filter });
        this.streams.push(stream);
        return stream;
      })
      .catch((error: { code?: string }) => expect(error.code).toBe('UNAVAILABLE'));
  }
}
