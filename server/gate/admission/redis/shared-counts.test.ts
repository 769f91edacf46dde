import { describe, expect, it } from '@jest/globals';
import { SluiceError } from '../../../errors.js';
import { SharedCounts } from './shared-counts.js';

describe('what a node holds of shared counts', () => {
  it('is never lost to one who was refused just before', async () => {
    let free = 1;
    const counts = new SharedCounts(async (_, held, wanted) =>
      Math.max(held, Math.min(wanted, free)),
    );
    expect(await counts.take('a')).toBe(true);
    counts.give('a');
    free = 0;
    // The refusal and what was given back are told together, and end together.
    const third = counts.take('a').then((isTaken) => {
      expect(isTaken).toBe(false);
      free = 1;
      return counts.take('a');
    });
    await Promise.all([third, counts.settle()]);
    expect(await third).toBe(true);
    expect(counts.size).toBe(1);
    expect(await counts.take('a')).toBe(false);
  });

  it('is nothing where somebody gives back what was never taken', async () => {
    const told: string[] = [];
    const counts = new SharedCounts(async (name, held) => {
      told.push(name);
      return held;
    });
    counts.give('a');
    await counts.settle();
    expect([counts.size, told]).toEqual([0, []]);
  });

  it.each([
    ['WRONGTYPE Operation against a key', true],
    ['ERR user_script:1: attempt to compare nil with number', true],
    ['TRYAGAIN Multiple keys request during rehashing of slot', true],
    ['MOVED 1 127.0.0.1:1', true],
    ['ASK 1 127.0.0.1:1', true],
    ['CLUSTERDOWN Hash slot not served', true],
    ['Redis has not answered in time', false],
    ["READONLY You can't write against a read only replica.", false],
  ])('is told beside one count of which Redis says %p: %p', async (message, isOfOne) => {
    const told = new Set<string>();
    let isBroken = false;
    const counts = new SharedCounts(async (name, _, wanted) => {
      if (isBroken && name === 'n0') {
        throw new SluiceError('UNAVAILABLE', undefined, { cause: new Error(message) });
      }
      told.add(name);
      return wanted;
    });
    for (let n = 0; n < 300; n++) await counts.take(`n${n}`);
    told.clear();
    isBroken = true;
    counts.doubtAll();
    const settling = counts.settle();
    if (isOfOne) await settling;
    else await expect(settling).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    if (isOfOne) expect(told.size).toBe(299);
    isBroken = false;
    await counts.settle();
    expect(told.size).toBe(300);
  });
});
