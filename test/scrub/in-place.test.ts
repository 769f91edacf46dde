import { appendFileSync, readdirSync } from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { scrubInPlace } from '../../server/scrub/in-place.js';

const LINE = 'GET /e?access_token=abc&x=1 200\n';
const SCRUBBED = 'GET /e?access_token=*scrubbed*&x=1 200\n';

let folder: string;
let log: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-scrub-'));
  log = join(folder, 'access.log');
});
afterEach(() => rm(folder, { recursive: true }));

/**
 * A signal that is asked whether to stop before each part of a file, at its end, and last before the exchange: between the last
 * look at the old file and the moment in which it is replaced.
 */
function signalThat(act: () => void, atQuestion: number): AbortSignal {
  let questions = 0;
  const { signal } = new AbortController();
  return Object.defineProperty(signal, 'aborted', {
    get() {
      questions++;
      if (questions === atQuestion) act();
      return false;
    },
  });
}

/** Scrubs `before` in place, while somebody who has the file open writes `meanwhile` to it. */
async function scrubWhile(before: string, meanwhile: string, atQuestion = 3) {
  await writeFile(log, before);
  const writer = await open(log, 'a');
  try {
    const signal = signalThat(() => appendFileSync(writer.fd, meanwhile), atQuestion);
    let count = 0;
    const fault = await scrubInPlace(log, { signal, onFinding: () => count++ }).then(
      () => null,
      (error: Error) => error.message,
    );
    return { fault, count, text: await readFile(log, 'utf8'), files: await readdir(folder) };
  } finally {
    await writer.close();
  }
}

describe('a file that is scrubbed in place', () => {
  it('gets what was written to the old one in the moment of the exchange, scrubbed', async () => {
    expect(await scrubWhile(LINE, `new line\n${LINE}`)).toEqual({
      fault: expect.stringContaining('must open it anew now'),
      count: 2,
      text: `${SCRUBBED}new line\n${SCRUBBED}`,
      files: ['access.log'],
    });
  });

  it('stays as it is where that was before it', async () => {
    expect(await scrubWhile(LINE, LINE, 2)).toMatchObject({
      fault: expect.stringContaining('being written to'),
      text: LINE + LINE,
      files: ['access.log'],
    });
  });

  it.each([
    ['a name', 'GET /e?access_tok', 'en=abc&x=1 200\n', 'GET /e?access_token=*scrubbed*&x=1 200\n'],
    [
      'a value',
      'GET /e?access_token=ab',
      'cd&x=1 200\n',
      'GET /e?access_token=*scrubbed*&x=1 200\n',
    ],
    ['a stream token', 'a sst_abcdefgh', `${'i'.repeat(35)} b\n`, 'a sst_abcdefgh*scrubbed* b\n'],
    ['nothing', 'GET /e?a', '=1\n', 'GET /e?a=1\n'],
  ])('gets no rest of %s that was cut by the exchange', async (_, before, after, expected) => {
    const { text } = await scrubWhile(LINE + before, after + LINE);
    expect(text).toBe(SCRUBBED + expected + SCRUBBED);
  });
});

describe('what lies beside a file that is scrubbed in place', () => {
  const HOUR_AGO = Date.now() / 1000 - 3601;
  const OTHER_RUN = process.ppid;
  const ELSEWHERE = '0123456789abcdef0123';

  /** The files in the folder afterwards, where `name` was there before; and why it was refused. */
  async function scrubBeside(name: string, changedAt = Date.now() / 1000) {
    await writeFile(log, LINE);
    await writeFile(join(folder, name), SCRUBBED);
    await utimes(join(folder, name), changedAt, changedAt);
    const { signal } = new AbortController();
    const fault = await scrubInPlace(log, { signal }).then(
      () => null,
      (error: Error) => error.message,
    );
    return { fault, files: (await readdir(folder)).filter((file) => file !== 'access.log') };
  }

  /** What the temporary file of a run in this place is called. */
  async function ownName(): Promise<string> {
    await writeFile(log, LINE);
    let name = '';
    const signal = signalThat(() => {
      name = readdirSync(folder).find((file) => file.endsWith('.sluice-scrub')) ?? '';
    }, 1);
    await scrubInPlace(log, { signal });
    return name;
  }

  it('has a name of its own in each run', async () => {
    const [first, second] = [await ownName(), await ownName()];
    expect(first).toMatch(/^\.access\.log\.\d+\.[0-9a-f]{20}\.sluice-scrub$/);
    expect(second).not.toBe(first);
  });

  it('is refused where another run is at work', async () => {
    const name = (await ownName()).replace(`.${process.pid}.`, `.${OTHER_RUN}.`);
    expect(await scrubBeside(name)).toEqual({
      fault: `is being scrubbed by process ${OTHER_RUN}`,
      files: [name],
    });
  });

  it('is removed after an hour without a change, though its number is that of a process', async () => {
    const name = (await ownName()).replace(`.${process.pid}.`, `.${OTHER_RUN}.`);
    expect(await scrubBeside(name, HOUR_AGO)).toEqual({ fault: null, files: [] });
  });

  it('is removed where its number is that of this process', async () => {
    expect(await scrubBeside(await ownName())).toEqual({ fault: null, files: [] });
  });

  it.each([
    ['the same number', process.pid],
    ['another number', OTHER_RUN],
  ])(
    'is left for an hour where a process with %s in another container has written it',
    async (_, pid) => {
      const name = `.access.log.${pid}.${ELSEWHERE}.sluice-scrub`;
      expect(await scrubBeside(name)).toEqual({ fault: null, files: [name] });
      expect(await scrubBeside(name, HOUR_AGO)).toEqual({ fault: null, files: [] });
    },
  );
});
