import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Retention, RetentionRules } from '../../server/config.js';
import type {
  EventLog,
  LogEntry,
  LogFollower,
  NewEntry,
  ReadLimit,
} from '../../server/log/event-log.js';
import { Inbox, withResolvers } from '../support/inbox.js';

const EVERYTHING = { maxEntries: 1_000_000, maxBytes: 1_000_000_000 };
const GENEROUS: Retention = { maxAgeSeconds: 3_600, maxEvents: 100_000, maxBytes: 100_000_000 };

/** The same bounds for all workspaces. */
function rules(own: Partial<Retention> = {}): RetentionRules {
  return { default: { ...GENEROUS, ...own }, workspaces: [] };
}

/** How the suite gets a log and puts it through its life. */
export interface EventLogDriver {
  /** A log with nothing in it. */
  open(retention: RetentionRules): Promise<EventLog>;
  /** Closes the log and opens it anew over the same history. */
  reopen(log: EventLog, retention: RetentionRules): Promise<EventLog>;
  dispose(): Promise<void>;
}

export function event(n: number, topic = 'orders'): NewEntry {
  return { topic, type: 'order.created', json: JSON.stringify({ n }) };
}

function events(count: number, from = 1): NewEntry[] {
  return Array.from({ length: count }, (_, index) => event(from + index));
}

function offsets(entries: readonly LogEntry[]): number[] {
  return entries.map((entry) => entry.offset);
}

/** What follows an offset of the log as it is now. */
async function readAfter(
  log: EventLog,
  workspace: string,
  offset: number,
  limit: ReadLimit,
): Promise<readonly LogEntry[]> {
  const { epoch } = await log.extent(workspace);
  const { entries } = await log.read(workspace, { epoch, offset }, limit);
  return entries;
}

/** A follower that takes entries alone; a break is a fault. */
function onEntries(take: (entries: readonly LogEntry[]) => void): LogFollower {
  return {
    onEntries: take,
    onBreak: () => {
      throw new Error('the log broke');
    },
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** What every adapter of the `EventLog` port must do. */
export function describeEventLog(name: string, createDriver: () => EventLogDriver): void {
  describe(`${name} as an event log`, () => {
    let driver: EventLogDriver;
    let log: EventLog;

    beforeEach(async () => {
      driver = createDriver();
      log = await driver.open(rules());
    });
    afterEach(async () => {
      await log.close();
      await driver.dispose();
    });

    it('numbers the events of a workspace one by one, from 1', async () => {
      const first = await log.append('acme', events(2));
      const second = await log.append('acme', events(3));
      expect(first).toMatchObject({ first: 1, count: 2, repeated: null });
      expect(second).toMatchObject({ first: 3, count: 3, epoch: first.epoch });
      expect(await log.extent('acme')).toEqual({ epoch: first.epoch, head: 5, oldest: 0 });
    });

    it('knows a workspace without events', async () => {
      const extent = await log.extent('nobody');
      expect(extent).toMatchObject({ head: 0, oldest: 0 });
      expect(await readAfter(log, 'nobody', 0, EVERYTHING)).toEqual([]);
      expect((await log.append('nobody', events(1))).epoch).toBe(extent.epoch);
    });

    it('reads entries as frames, in order, behind a cursor', async () => {
      const { epoch } = await log.append('acme', [event(1), event(2, 'invoices'), event(3)]);
      const entries = await readAfter(log, 'acme', 1, EVERYTHING);
      expect(entries).toMatchObject([
        { offset: 2, topic: 'invoices', type: 'order.created' },
        { offset: 3, topic: 'orders' },
      ]);
      expect(entries[0]?.frame.toString()).toBe(`id: ${epoch}-2\ndata: {"n":2}\n\n`);
    });

    it('keeps what it has read unchanged while it reads and writes on', async () => {
      await log.append('acme', events(100));
      const entries = await readAfter(log, 'acme', 0, EVERYTHING);
      const before = entries.map(({ frame }) => frame.toString());
      await log.append('acme', events(1_000));
      await readAfter(log, 'acme', 500, EVERYTHING);
      expect(entries.map(({ frame }) => frame.toString())).toEqual(before);
    });

    it('stops a read at its limits, but never before the first entry', async () => {
      await log.append('acme', events(10));
      expect(offsets(await readAfter(log, 'acme', 0, { maxEntries: 3, maxBytes: 1e9 }))).toEqual([
        1, 2, 3,
      ]);
      expect(offsets(await readAfter(log, 'acme', 4, { maxEntries: 9, maxBytes: 1 }))).toEqual([5]);
      expect(await readAfter(log, 'acme', 10, EVERYTHING)).toEqual([]);
    });

    it('keeps workspaces apart, also those whose names begin alike', async () => {
      await log.append('a', events(2));
      await log.append('a-b', events(3));
      await log.append('A', events(1));
      expect(offsets(await readAfter(log, 'a', 0, EVERYTHING))).toEqual([1, 2]);
      expect(offsets(await readAfter(log, 'a-b', 0, EVERYTHING))).toEqual([1, 2, 3]);
      const epochs = await Promise.all(
        ['a', 'a-b', 'A'].map(async (ws) => (await log.extent(ws)).epoch),
      );
      expect(new Set(epochs).size).toBe(3);
    });

    it('keeps batches together and in order when many append at once', async () => {
      const answers = await Promise.all(
        range(1, 200).map((n) => log.append('acme', [event(n), event(-n)])),
      );
      expect(answers.map(({ first }) => first).toSorted((a, b) => a - b)).toEqual(
        range(1, 200).map((n) => 2 * n - 1),
      );
      const entries = await readAfter(log, 'acme', 0, EVERYTHING);
      for (const [index, { first }] of answers.entries()) {
        expect(entries[first - 1]?.frame.toString()).toContain(`{"n":${index + 1}}`);
        expect(entries[first]?.frame.toString()).toContain(`{"n":${-index - 1}}`);
      }
    });

    it('tells its followers of each batch, in order and without a hole, and of no other workspace', async () => {
      const seen = new Inbox<number>('an entry');
      const { unfollow, extent } = await log.follow(
        'acme',
        onEntries((entries) => {
          for (const { offset, previous } of entries) {
            expect(previous).toBe(offset - 1);
            seen.push(offset);
          }
        }),
      );
      expect(extent.head).toBe(0);
      await Promise.all([
        ...range(1, 50).map((n) => log.append('acme', [event(n)])),
        ...range(1, 50).map((n) => log.append('other', [event(n)])),
      ]);
      await seen.find((offset) => offset === 50);
      expect(seen.items).toEqual(range(1, 50));
      unfollow();
      const again = new Inbox<number>('an entry');
      await log.follow(
        'acme',
        onEntries((entries) => again.push(offsets(entries)[0] ?? 0)),
      );
      await log.append('acme', [event(51)]);
      await again.find((offset) => offset === 51);
      expect(seen.items).toHaveLength(50);
    });

    it('lets a follower read what it is told of', async () => {
      const read = withResolvers<readonly LogEntry[]>();
      const take = () => readAfter(log, 'acme', 0, EVERYTHING).then(read.resolve, read.reject);
      await log.follow('acme', onEntries(take));
      await log.append('acme', events(1));
      expect(offsets(await read.promise)).toEqual([1]);
    });

    it('refuses to read behind a cursor of another log', async () => {
      await log.append('acme', events(2));
      await expect(
        log.read('acme', { epoch: '00000000', offset: 1 }, EVERYTHING),
      ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });

    it('goes on where it stopped', async () => {
      const before = await log.append('acme', events(3));
      log = await driver.reopen(log, rules());
      expect(await log.extent('acme')).toEqual({ epoch: before.epoch, head: 3, oldest: 0 });
      expect(await log.append('acme', events(1))).toMatchObject({ first: 4, epoch: before.epoch });
      expect(offsets(await readAfter(log, 'acme', 0, EVERYTHING))).toEqual([1, 2, 3, 4]);
    });

    it('refuses work after its close', async () => {
      const { epoch } = await log.extent('acme');
      const closed = await driver.reopen(log, rules());
      await closed.close();
      await expect(closed.append('acme', events(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(closed.read('acme', { epoch, offset: 0 }, EVERYTHING)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      });
      await expect(closed.extent('acme')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      log = await driver.reopen(closed, rules());
    });

    it('finishes the appends under way when it closes', async () => {
      const pending = range(1, 50).map((n) => log.append('acme', [event(n)]));
      await log.close();
      await Promise.all(pending);
      log = await driver.reopen(log, rules());
      expect(await log.extent('acme')).toMatchObject({ head: 50 });
    });

    describe('with an idempotency key', () => {
      const fingerprint = Buffer.alloc(32, 1);

      it('appends once, and answers the repetition with the same cursors', async () => {
        const key = randomUUID();
        const answers = await Promise.all(
          range(1, 5).map(() => log.append('acme', events(2), { key, fingerprint })),
        );
        expect(answers.map(({ first }) => first)).toEqual([1, 1, 1, 1, 1]);
        expect(answers.filter(({ repeated }) => repeated === null)).toHaveLength(1);
        log = await driver.reopen(log, rules());
        expect(await log.append('acme', events(2), { key, fingerprint })).toMatchObject({
          first: 1,
          count: 2,
          repeated: [{ offset: 1 }, { offset: 2 }],
        });
        expect(await log.extent('acme')).toMatchObject({ head: 2 });
      });

      it('refuses the key for another body', async () => {
        await log.append('acme', events(1), { key: 'k', fingerprint });
        await expect(
          log.append('acme', events(1), { key: 'k', fingerprint: Buffer.alloc(32, 2) }),
        ).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
        expect(await log.extent('acme')).toMatchObject({ head: 1 });
      });

      it('keeps the keys of workspaces apart', async () => {
        await log.append('acme', events(1), { key: 'k', fingerprint });
        const other = await log.append('other', events(1), { key: 'k', fingerprint });
        expect(other).toMatchObject({ repeated: null });
      });

      it('forgets the key with the first event of its batch', async () => {
        log = await driver.reopen(log, rules({ maxEvents: 10 }));
        await log.append('acme', events(1), { key: 'k', fingerprint });
        await log.append('acme', events(30));
        expect(await log.append('acme', events(1), { key: 'k', fingerprint })).toMatchObject({
          first: 32,
          repeated: null,
        });
      });
    });

    it('tells what it holds', async () => {
      const before = await log.stats();
      await log.append('acme', events(50));
      await log.append('other', events(50));
      const after = await log.stats();
      expect(after.bytes).toBeGreaterThan(before.bytes);
      if (after.events !== null) expect(after).toMatchObject({ events: 100, workspaces: 2 });
      expect(after.capacity).toBeNull();
    });

    describe('within its bounds', () => {
      it('keeps each workspace within its own, by name or by pattern', async () => {
        const few = { ...GENEROUS, maxEvents: 10 };
        const fewer = { ...GENEROUS, maxEvents: 5 };
        log = await driver.reopen(log, {
          default: GENEROUS,
          workspaces: [
            { pattern: 'audit-2', retention: fewer },
            { pattern: 'audit-*', retention: few },
          ],
        });
        const kept = async (workspace: string) => {
          for (const n of range(1, 4)) await log.append(workspace, events(10, n * 10));
          return (await readAfter(log, workspace, 0, EVERYTHING)).length;
        };
        expect(await kept('acme')).toBe(40);
        expect(await kept('audit-1')).toBeLessThanOrEqual(10);
        expect(await kept('audit-1')).toBeGreaterThan(5);
        expect(await kept('audit-2')).toBeLessThanOrEqual(5);
        expect(await kept('audit')).toBe(40);
      });

      it('keeps no more events than it may', async () => {
        log = await driver.reopen(log, rules({ maxEvents: 100 }));
        for (const n of range(1, 30)) await log.append('acme', events(10, n * 10));
        const { head, oldest } = await log.extent('acme');
        expect(head).toBe(300);
        expect(head - oldest).toBeLessThanOrEqual(100);
        expect(head - oldest).toBeGreaterThanOrEqual(90);
        expect(offsets(await readAfter(log, 'acme', 0, EVERYTHING))).toEqual(
          range(oldest + 1, head),
        );
      });

      it('keeps no more bytes than it may', async () => {
        log = await driver.reopen(log, rules({ maxBytes: 65_536 }));
        const large = { ...event(1), json: JSON.stringify('x'.repeat(1_000)) };
        for (const _ of range(1, 200)) await log.append('acme', [large]);
        const kept = await readAfter(log, 'acme', 0, EVERYTHING);
        const bytes = kept.reduce((sum, { frame }) => sum + frame.length, 0);
        expect(bytes).toBeLessThanOrEqual(65_536);
        expect(bytes).toBeGreaterThan(40_000);
        expect((await log.extent('acme')).oldest).toBe((kept[0]?.offset ?? 0) - 1);
      });

      it('drops what is older than it may be with the next append', async () => {
        await log.append('acme', events(5));
        log = await driver.reopen(log, rules({ maxAgeSeconds: 0 }));
        // An age of nought keeps what was appended in this very millisecond, so the clock must tick first.
        const start = Date.now();
        while (Date.now() === start) await new Promise(setImmediate);
        await log.append('acme', events(1));
        const { head, oldest } = await log.extent('acme');
        expect(head).toBe(6);
        // The clock may have ticked once more behind the newest one.
        expect(oldest).toBeGreaterThanOrEqual(5);
      });

      it('keeps within them, however much is appended at once', async () => {
        log = await driver.reopen(log, rules({ maxEvents: 500 }));
        await Promise.all(range(1, 20).map(() => log.append('acme', events(1_000))));
        const { head, oldest } = await log.extent('acme');
        expect(head).toBe(20_000);
        expect(head - oldest).toBeLessThanOrEqual(500);
      });

      it('goes below lowered bounds, however much there is to remove', async () => {
        for (const _ of range(1, 12)) await log.append('acme', events(1_000));
        log = await driver.reopen(log, rules({ maxEvents: 10 }));
        for (const n of range(1, 20)) await log.append('acme', [event(n)]);
        const { head, oldest } = await log.extent('acme');
        expect(head - oldest).toBeLessThanOrEqual(10);
      });
    });
  });
}
