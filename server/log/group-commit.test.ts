import { describe, expect, it } from '@jest/globals';
import { GroupCommit } from './group-commit.js';

/** Commits that the test begins, takes the group of and ends by hand. */
function commitsOf(maxWeight = 100) {
  const under: { take: () => readonly number[]; end: () => void }[] = [];
  const commits = new GroupCommit<number>(
    (take) => new Promise((end) => under.push({ take, end })),
    maxWeight,
    (item) => item,
  );
  return { commits, under };
}

async function turn(): Promise<void> {
  await new Promise(setImmediate);
}

describe('a group commit', () => {
  it('has in its group what came until the group is taken, and the rest in the next one', async () => {
    const { commits, under } = commitsOf();
    commits.add(1);
    commits.add(2);
    expect(under).toHaveLength(1);
    expect(under[0]?.take()).toEqual([1, 2]);
    commits.add(3);
    expect(under[0]?.take()).toEqual([1, 2]);
    await turn();
    expect(under).toHaveLength(1);
    under[0]?.end();
    await turn();
    commits.add(4);
    expect(under[1]?.take()).toEqual([3, 4]);
    under[1]?.end();
    await commits.idle();
    expect(under).toHaveLength(2);
  });

  it('keeps groups below a weight; what is heavier goes alone', async () => {
    const { commits, under } = commitsOf(10);
    for (const weight of [4, 5, 3, 20, 1]) commits.add(weight);
    const groups: (readonly number[])[] = [];
    const idle = commits.idle();
    for (let at = 0; at < 4; at++) {
      groups.push(under[at]?.take() ?? []);
      under[at]?.end();
      await turn();
    }
    await idle;
    expect(groups).toEqual([[4, 5], [3], [20], [1]]);
    expect(under).toHaveLength(4);
  });

  it('begins again when it was idle', async () => {
    const { commits, under } = commitsOf();
    for (const item of [1, 2]) {
      commits.add(item);
      expect(under[item - 1]?.take()).toEqual([item]);
      under[item - 1]?.end();
      await commits.idle();
    }
    expect(under).toHaveLength(2);
  });
});
