import {
  mkdir,
  mkdtemp,
  open as openFile,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  CONTRACT_RULES,
  describePermissionChecker,
} from '../../../test/contracts/permission-checker.contract.js';
import { ALICE, QUESTION } from '../../../test/support/gate.js';
import { CasbinPermissionChecker } from './casbin-permission-checker.js';

let folder: string;
let path: string;
const open: CasbinPermissionChecker[] = [];
const failures: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-policy-'));
  path = join(folder, 'policy.csv');
});
afterEach(async () => {
  for (const checker of open.splice(0)) checker.close();
  failures.length = 0;
  await rm(folder, { recursive: true, force: true });
});

async function openChecker(text?: string): Promise<CasbinPermissionChecker> {
  if (text !== undefined) await writeFile(path, text);
  const checker = await CasbinPermissionChecker.open({
    path,
    onFailure: ({ message }) => failures.push(message),
  });
  open.push(checker);
  return checker;
}

const BY_CONTRACT = CONTRACT_RULES.map(
  ({ subject, workspace, topic, permission }) =>
    `p, ${subject}, ${workspace}, ${topic}, ${permission}`,
).join('\n');

describePermissionChecker('a policy file', {
  knowsWorkspaces: true,
  canChangeItsMind: true,
  // By name and by role.
  open: async () => ({ checker: await openChecker(`${BY_CONTRACT}\ng, erin, editor, acme\n`) }),
});

const mayPublish = async (checker: CasbinPermissionChecker, rest: { mustBeFresh?: boolean } = {}) =>
  (await checker.check({ ...QUESTION, permission: 'realtime:publish', ...rest })).allowed;

const GRANTING = 'p, alice, acme, *, publish\n';
const OTHER = 'p, bob, acme, *, publish\n';

describe('a policy file that changes', () => {
  it('counts within moments, without being asked for', async () => {
    const checker = await openChecker(GRANTING);
    expect(await mayPublish(checker)).toBe(true);
    await writeFile(path, OTHER);
    const until = performance.now() + 10_000;
    while ((await mayPublish(checker)) && performance.now() < until) {
      await new Promise(setImmediate);
    }
    expect(await mayPublish(checker)).toBe(false);
  });

  it('counts at once where a decision must be fresh', async () => {
    const checker = await openChecker(GRANTING);
    expect(await mayPublish(checker)).toBe(true);
    await writeFile(path, `${OTHER}# longer\n`);
    expect(await mayPublish(checker, { mustBeFresh: true })).toBe(false);
  });

  it('counts when another file is put in its place', async () => {
    const checker = await openChecker(GRANTING);
    await writeFile(`${path}.new`, OTHER);
    await rename(`${path}.new`, path);
    expect(await mayPublish(checker, { mustBeFresh: true })).toBe(false);
  });

  it('counts when a link on its way is turned', async () => {
    for (const [name, text] of [
      ['one', GRANTING],
      ['two', OTHER],
    ] as const) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'policy.csv'), text);
    }
    // As a mounted ConfigMap is laid out.
    await symlink('one', join(folder, '..data'));
    await symlink('..data/policy.csv', path);
    const checker = await openChecker();
    expect(await mayPublish(checker, { mustBeFresh: true })).toBe(true);
    await symlink('two', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    expect(await mayPublish(checker, { mustBeFresh: true })).toBe(false);
  });

  it.each([
    ['is broken', () => writeFile(path, `${OTHER}p, alice\n`), 'line 2'],
    ['is emptied', () => writeFile(path, ''), 'no rule'],
    ['is no text', () => writeFile(path, Buffer.from([0xff, 0xfe, 0x00])), 'not UTF-8'],
    ['is too large', () => writeFile(path, Buffer.alloc(8 * 1024 * 1024 + 1, '#')), 'more than'],
    ['vanishes', () => unlink(path), 'ENOENT'],
    [
      'becomes a folder',
      async () => {
        await unlink(path);
        await mkdir(path);
      },
      'EISDIR',
    ],
  ])('stands as it was when it %s, which is told once', async (_, change, reason) => {
    const checker = await openChecker(GRANTING);
    await change();
    for (let n = 0; n < 3; n++) expect(await mayPublish(checker, { mustBeFresh: true })).toBe(true);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain(path);
    expect(failures[0]).toContain(reason);
    await rm(path, { recursive: true, force: true });
    await writeFile(path, OTHER);
    expect(await mayPublish(checker, { mustBeFresh: true })).toBe(false);
  });
});

describe('a policy file that cannot be read for a moment', () => {
  const IO_FAULT = Object.assign(new Error('the disk says no'), { code: 'EIO' });

  /** What reads any file fails until it is mended: a file that is there, with a disk that does not give it. */
  async function breakReading(): Promise<{ mend(): void }> {
    const handle = await openFile(folder);
    const files = Object.getPrototypeOf(handle) as Pick<typeof handle, 'createReadStream'>;
    await handle.close();
    const { createReadStream } = files;
    const reading = jest.spyOn(files, 'createReadStream').mockImplementation(function (
      this: typeof handle,
      options,
    ) {
      return createReadStream.call(this, options).destroy(IO_FAULT);
    });
    return { mend: () => reading.mockRestore() };
  }
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is read as soon as it can be, and the failure is told once', async () => {
    const checker = await openChecker(GRANTING);
    const reading = await breakReading();
    await writeFile(path, OTHER);
    for (let n = 0; n < 5; n++) expect(await mayPublish(checker, { mustBeFresh: true })).toBe(true);
    expect(failures).toEqual([expect.stringContaining('it cannot be read (EIO)')]);
    reading.mend();
    expect(await mayPublish(checker, { mustBeFresh: true })).toBe(false);
    expect(failures).toHaveLength(1);
  });

  it('is told of each time', async () => {
    const checker = await openChecker(GRANTING);
    for (let times = 1; times <= 2; times++) {
      await rename(path, `${path}.away`);
      await mayPublish(checker, { mustBeFresh: true });
      await mayPublish(checker, { mustBeFresh: true });
      expect(failures).toHaveLength(times);
      await rename(`${path}.away`, path);
      expect(await mayPublish(checker, { mustBeFresh: true })).toBe(true);
    }
  });
});

describe('a policy file', () => {
  it.each([
    ['that is broken', 'p, alice, acme, *, publish\np, alice, acme, *, fly\n', 'line 2'],
    ['that is empty', '', 'no rule'],
    ['that is not there', undefined, 'ENOENT'],
  ])('%s cannot be begun with', async (_, text, reason) => {
    const opening = openChecker(text);
    await expect(opening).rejects.toThrow(`The policy file ${path} is not valid`);
    await expect(opening).rejects.toThrow(reason);
  });

  it('knows the roles of the token', async () => {
    const checker = await openChecker('p, role:editor, acme, *, publish\n');
    const withClaims = (claims: Record<string, unknown>) =>
      checker.check({
        ...QUESTION,
        permission: 'realtime:publish',
        principal: { ...ALICE, claims },
      });
    expect(await withClaims({ roles: ['editor'] })).toEqual({ allowed: true });
    expect(await withClaims({ role: 'editor' })).toEqual({ allowed: true });
    expect(await withClaims({ roles: ['reader'] })).toEqual({ allowed: false });
    expect(await withClaims({ roles: 'editor' })).toEqual({ allowed: false });
  });

  it('decides quickly, however long it is', async () => {
    const lines = Array.from(
      { length: 10_000 },
      (_, n) => `p, role-${n}, acme, topic-${n}, publish\ng, user-${n}, role-${n}, acme`,
    );
    const checker = await openChecker(lines.join('\n'));
    const started = performance.now();
    for (let n = 0; n < 10_000; n++) {
      const principal = { ...ALICE, subject: `user-${n}` };
      const decision = await checker.check({
        ...QUESTION,
        permission: 'realtime:publish',
        principal,
      });
      expect(decision).toEqual({ allowed: true, topics: [`topic-${n}`] });
    }
    // By going through all rules for each question it would take minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
