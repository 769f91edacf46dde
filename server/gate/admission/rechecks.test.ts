import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ServiceErrorCode } from '@sluice/protocol';
import { ALICE, NO_LIMITS, QUESTION } from '../../../test/support/gate.js';
import type { DecisionRecord, RevocationRecord } from '../audit.js';
import type {
  Decision,
  PermissionChecker,
  PermissionQuestion,
} from '../permission/permission-checker.js';
import { Permissions } from '../permission/permissions.js';
import { Admissions } from './admissions.js';

const INTERVAL = 60_000;
const GRACE = 300_000;
/** How late a time may be noticed. */
const STEP = 250;

/** A checker whose mind the test changes, and which tells what it was asked. */
class ScriptedChecker implements PermissionChecker {
  readonly name = 'scripted';
  canChangeItsMind = true;
  readonly asked: PermissionQuestion[] = [];
  answer: (question: PermissionQuestion) => Decision | Promise<Decision> = () => ({
    allowed: true,
  });
  open = 0;
  mostOpen = 0;

  async check(question: PermissionQuestion): Promise<Decision> {
    this.asked.push(question);
    this.open++;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    try {
      return await this.answer(question);
    } finally {
      this.open--;
    }
  }
}

let checker: ScriptedChecker;
let failures: unknown[];
let records: (DecisionRecord | RevocationRecord)[];
let opened: Admissions[];

beforeEach(() => {
  jest.useFakeTimers();
  checker = new ScriptedChecker();
  failures = [];
  records = [];
  opened = [];
});
afterEach(() => {
  for (const admissions of opened) admissions.close();
  jest.useRealTimers();
});

function open(graceMs = GRACE): Admissions {
  const admissions = new Admissions({
    limits: NO_LIMITS,
    recheck: { intervalMs: INTERVAL, graceMs },
    permissions: new Permissions(checker, { record: (entry) => records.push(entry) }),
    revocations: { check() {}, isRevoked: () => false, onRevoked() {} },
    onFailure: (error) => failures.push(error),
  });
  opened.push(admissions);
  return admissions;
}

/** A stream that was let in, with what it was ended with. */
async function admit(
  admissions: Admissions,
  {
    permitted = null,
    ...question
  }: Partial<PermissionQuestion> & { permitted?: readonly string[] | null } = {},
) {
  const admission = await admissions.admit({
    question: { ...QUESTION, ...question },
    permitted,
    address: '192.0.2.1',
  });
  const ended: [ServiceErrorCode, string][] = [];
  admission.heldBy({
    end: (code, detail) => {
      ended.push([code, detail]);
    },
  });
  return { admission, ended };
}

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const refuse = () => ({ allowed: false });
/** The codes of the ends that the audit log was told of. */
const audited = () => records.map((entry) => (entry.kind === 'decision' ? entry.outcome : ''));
const fail = (): never => {
  throw new Error('pdp.internal is down');
};

describe('the permission of an open stream', () => {
  it('is asked for again within each interval, with the question of its subscription', async () => {
    const { ended } = await admit(open());
    await pass(INTERVAL + STEP);
    const { length } = checker.asked;
    expect(length).toBeGreaterThanOrEqual(1);
    expect(checker.asked[0]).toEqual({ ...QUESTION, mustBeFresh: true, occasion: 'recheck' });
    for (let round = 1; round <= 5; round++) {
      await pass(INTERVAL + STEP);
      expect(checker.asked.length).toBeGreaterThanOrEqual(length + round);
    }
    expect(checker.asked.length).toBeLessThanOrEqual(10);
    expect(ended).toEqual([]);
  });

  it.each([
    ['back', -3_600_000],
    ['forward', 3_600_000],
  ])('is asked for in time also where the clock is set %s', async (_, ms) => {
    const { ended } = await admit(open());
    await pass(INTERVAL + STEP);
    const { length } = checker.asked;
    jest.setSystemTime(Date.now() + ms);
    await pass(INTERVAL + STEP);
    expect(checker.asked.length).toBeGreaterThan(length);
    expect(checker.asked.length).toBeLessThanOrEqual(length + 2);
    // Nor does it change for how long an answer is waited for.
    checker.answer = fail;
    const answered = checker.asked.length;
    while (checker.asked.length === answered) await pass(STEP);
    jest.setSystemTime(Date.now() + ms);
    await pass(GRACE - 2 * STEP);
    expect(ended).toEqual([]);
    await pass(4 * STEP);
    expect(ended.map(([code]) => code)).toEqual(['AUTH_ERROR']);
  });

  it('ends the stream within the interval when it is withdrawn', async () => {
    const { ended } = await admit(open());
    checker.answer = refuse;
    await pass(INTERVAL + STEP);
    expect(ended).toEqual([['FORBIDDEN', 'The permission for this stream was withdrawn.']]);
    await pass(10 * INTERVAL);
    expect(ended).toHaveLength(1);
    expect(checker.asked).toHaveLength(1);
  });

  it('is asked for spread over the interval, a few at a time', async () => {
    const admissions = open();
    for (let n = 0; n < 2_400; n++) await admit(admissions);
    const seconds: number[] = [];
    let before = 0;
    for (let second = 0; second < 60; second++) {
      await pass(1_000);
      seconds.push(checker.asked.length - before);
      before = checker.asked.length;
    }
    // 40 a second, and not 2,400 in one.
    expect(Math.max(...seconds)).toBeLessThan(120);
    expect(seconds.slice(0, 45).every((count) => count > 0)).toBe(true);
  });

  it('is asked for by a hundred questions at once at the most', async () => {
    const admissions = open();
    const answers: (() => void)[] = [];
    checker.answer = () => new Promise((resolve) => answers.push(() => resolve({ allowed: true })));
    for (let n = 0; n < 3_000; n++) await admit(admissions);
    // Nobody is answered for a while, within the checker's deadline.
    await pass(4_000);
    expect(checker.mostOpen).toBe(100);
    for (const answer of answers.splice(0)) answer();
    await pass(STEP);
    expect(checker.asked.length).toBeGreaterThan(100);
    expect(checker.mostOpen).toBe(100);
  });

  it('is not asked for where it cannot change, and the token is not kept for it', async () => {
    checker.canChangeItsMind = false;
    const admissions = open();
    const { admission } = await admit(admissions, {
      principal: { ...ALICE, claims: { secret: 'kept-for-nothing' } },
    });
    await pass(3 * INTERVAL);
    expect(checker.asked).toEqual([]);
    expect(JSON.stringify(admission)).not.toContain('kept-for-nothing');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is not asked for after the stream has closed', async () => {
    const { admission } = await admit(open());
    admission.release();
    await pass(3 * INTERVAL);
    expect(checker.asked).toEqual([]);
  });

  it('does not matter any more when the stream closes while it is asked for', async () => {
    let answer: (decision: Decision) => void = () => {};
    checker.answer = () => new Promise((resolve) => (answer = resolve));
    const { admission, ended } = await admit(open());
    while (checker.asked.length === 0) await pass(STEP);
    admission.release();
    answer({ allowed: false });
    await pass(3 * INTERVAL);
    expect(ended).toEqual([]);
    expect(checker.asked).toHaveLength(1);
  });

  it('does not matter any more after the end of the service', async () => {
    let answer: (decision: Decision) => void = () => {};
    checker.answer = () => new Promise((resolve) => (answer = resolve));
    const admissions = open();
    const { ended } = await admit(admissions);
    while (checker.asked.length === 0) await pass(STEP);
    admissions.close();
    answer({ allowed: true });
    await pass(3 * INTERVAL);
    expect(ended).toEqual([]);
    expect(checker.asked).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('refuses a stream that is not open yet when it is withdrawn', async () => {
    checker.answer = refuse;
    const admission = await open().admit({
      question: QUESTION,
      permitted: null,
      address: '192.0.2.1',
    });
    await pass(INTERVAL + STEP);
    expect(() => admission.check()).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
  });
});

describe('a permission that was narrowed', () => {
  it('sends the stream away, to come back with less', async () => {
    const { ended } = await admit(open(), { topics: null, permitted: ['orders', 'invoices'] });
    checker.answer = () => ({ allowed: true, topics: ['orders'] });
    await pass(INTERVAL + STEP);
    expect(ended).toEqual([
      ['UNAVAILABLE', 'The topics that are permitted have changed: connect anew.'],
    ]);
    await pass(3 * INTERVAL);
    expect(checker.asked).toHaveLength(1);
    expect(audited()).toEqual(['UNAVAILABLE']);
  });

  it('ends the stream where a topic that it named is gone altogether', async () => {
    const { ended } = await admit(open(), { topics: ['orders'] });
    checker.answer = () => ({ allowed: true, topics: ['invoices'] });
    await pass(INTERVAL + STEP);
    expect(ended.map(([code]) => code)).toEqual(['FORBIDDEN']);
    expect(audited()).toEqual(['FORBIDDEN']);
  });

  it.each<[string, string[] | undefined]>([
    ['wider', undefined],
    ['the same in another order', ['b', 'a']],
    ['more of the same', ['a', 'b', 'c']],
  ])('lets the stream go on where it is %s', async (_, topics) => {
    const { ended } = await admit(open(), { topics: null, permitted: ['a', 'b'] });
    checker.answer = () => ({ allowed: true, ...(topics !== undefined && { topics }) });
    await pass(3 * INTERVAL);
    expect(checker.asked.length).toBeGreaterThan(1);
    expect(ended).toEqual([]);
  });
});

describe('a checker that cannot be asked', () => {
  it('ends no stream within the grace, is asked sooner than the interval, then ends it', async () => {
    checker.answer = fail;
    const { ended } = await admit(open());
    while (checker.asked.length === 0) await pass(STEP);
    await pass(GRACE - 2 * STEP);
    expect(ended).toEqual([]);
    expect(checker.asked.length).toBeGreaterThan(GRACE / INTERVAL + 10);
    await pass(4 * STEP);
    expect(ended).toEqual([
      ['AUTH_ERROR', 'The permission for this stream could not be checked for too long.'],
    ]);
    // Nor is it told of each question in between.
    expect(audited()).toEqual(['AUTH_ERROR']);
  });

  it('is forgiven once it answers', async () => {
    checker.answer = fail;
    const { ended } = await admit(open());
    await pass(INTERVAL + GRACE / 2);
    checker.answer = () => ({ allowed: true });
    await pass(INTERVAL);
    checker.answer = fail;
    await pass(GRACE - 2 * STEP);
    expect(ended).toEqual([]);
    await pass(INTERVAL + 4 * STEP);
    expect(ended.map(([code]) => code)).toEqual(['AUTH_ERROR']);
  });

  it('ends the stream at its no, also within the grace', async () => {
    checker.answer = fail;
    const { ended } = await admit(open());
    await pass(INTERVAL + STEP);
    checker.answer = refuse;
    await pass(10_000);
    expect(ended.map(([code]) => code)).toEqual(['FORBIDDEN']);
  });

  it('ends the stream at the first failure where there is no grace', async () => {
    checker.answer = fail;
    const { ended } = await admit(open(0));
    await pass(INTERVAL + STEP);
    expect(ended.map(([code]) => code)).toEqual(['AUTH_ERROR']);
    expect(checker.asked).toHaveLength(1);
  });

  it('ends streams in time also where it lets so many wait that the others are never asked about', async () => {
    // Each question takes the whole deadline of 5 s, and 100 are open at once: 20 a second, of 3,000 streams.
    checker.answer = () => new Promise(() => {});
    const admissions = open(INTERVAL);
    const streams = await Promise.all(Array.from({ length: 3_000 }, () => admit(admissions)));
    await pass(INTERVAL + INTERVAL + 10_000 + 5_000 + 2 * STEP);
    expect(streams.filter(({ ended }) => ended.length !== 1)).toEqual([]);
    expect(new Set(streams.flatMap(({ ended }) => ended.map(([code]) => code)))).toEqual(
      new Set(['AUTH_ERROR']),
    );
  });

  it('is told of now and then, and not for each stream', async () => {
    checker.answer = fail;
    const admissions = open();
    for (let n = 0; n < 100; n++) await admit(admissions);
    await pass(2 * INTERVAL);
    expect(failures.length).toBeGreaterThanOrEqual(1);
    expect(failures.length).toBeLessThanOrEqual(3);
    expect(failures[0]).toMatchObject({ message: 'pdp.internal is down' });
  });

  it('is as good as one that throws what is no answer at all', async () => {
    checker.answer = () => 'yes' as unknown as Decision;
    const { ended } = await admit(open(0));
    await pass(INTERVAL + STEP);
    expect(ended.map(([code]) => code)).toEqual(['AUTH_ERROR']);
  });
});

describe('streams whose permission cannot be asked for', () => {
  it('are counted until an answer comes or they end', async () => {
    const admissions = open();
    await admit(admissions);
    const { admission } = await admit(admissions);
    expect(admissions.failingRechecks).toBe(0);
    checker.answer = fail;
    await pass(INTERVAL + STEP);
    expect(admissions.failingRechecks).toBe(2);
    admission.release();
    expect(admissions.failingRechecks).toBe(1);
    checker.answer = () => ({ allowed: true });
    await pass(INTERVAL + STEP);
    expect(admissions.failingRechecks).toBe(0);
  });

  it('are no longer counted when their grace is over', async () => {
    const admissions = open(0);
    const { admission } = await admit(admissions);
    checker.answer = fail;
    await pass(INTERVAL + STEP);
    admission.release();
    expect(admissions.failingRechecks).toBe(0);
  });
});
