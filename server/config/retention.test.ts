import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigError, readConfig } from '../config.js';

const GENERAL = { maxAgeSeconds: 86_400, maxEvents: 100_000, maxBytes: 268_435_456 };

describe('the retention of workspaces', () => {
  let folder: string;
  let files = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-retention-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function read(text: string, settings: Record<string, string> = {}) {
    const path = join(folder, `${files++}.json`);
    await writeFile(path, text);
    return readConfig({ RETENTION_FILE: path, ...settings }).retention;
  }
  async function faultsOf(text: string): Promise<readonly string[]> {
    try {
      await read(text);
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
  }

  it('is the same for all without a file', () => {
    expect(readConfig({}).retention).toEqual({ default: GENERAL, workspaces: [] });
  });

  it('takes what an entry leaves out from the settings', async () => {
    const text = '{"acme": {"seconds": 60}, "audit-*": {"events": 5, "bytes": 65536}, "none": {}}';
    const own = { ...GENERAL, maxEvents: 7 };
    expect(await read(text, { RETENTION_EVENTS: '7' })).toEqual({
      default: own,
      workspaces: [
        { pattern: 'acme', retention: { ...own, maxAgeSeconds: 60 } },
        { pattern: 'none', retention: own },
        { pattern: 'audit-*', retention: { ...own, maxEvents: 5, maxBytes: 65_536 } },
      ],
    });
  });

  it('puts names before patterns, and patterns in the order of the file', async () => {
    const { workspaces } = await read('{"b*": {}, "*": {}, "a*": {}, "__proto__": {}, "7": {}}');
    expect(workspaces.map(({ pattern }) => pattern)).toEqual(['7', '__proto__', 'b*', '*', 'a*']);
  });

  it('names every fault of the file', async () => {
    const text = JSON.stringify({
      'two words': {},
      'a*b*': {},
      '': {},
      list: [],
      misspelt: { second: 5, __proto__: null, constructor: 1 },
      acme: { seconds: 0, events: 1.5, bytes: '70000' },
    });
    expect(await faultsOf(text)).toEqual([
      'RETENTION_FILE: "two words" is no name of a workspace, nor one with one * in it',
      'RETENTION_FILE: "a*b*" is no name of a workspace, nor one with one * in it',
      'RETENTION_FILE: "" is no name of a workspace, nor one with one * in it',
      'RETENTION_FILE: list is not an object of seconds, events and bytes',
      'RETENTION_FILE: misspelt: "second" is none of its members, seconds, events and bytes',
      'RETENTION_FILE: misspelt: "constructor" is none of its members, seconds, events and bytes',
      'RETENTION_FILE: acme: seconds must be a whole number from 1 to 31536000',
      'RETENTION_FILE: acme: events must be a whole number from 1 to 100000000',
      'RETENTION_FILE: acme: bytes must be a whole number from 65536 to 1099511627776',
    ]);
  });

  it.each([
    ['no JSON', '{"acme": ', 'RETENTION_FILE is not valid JSON'],
    [
      'a list',
      '[]',
      'RETENTION_FILE is not a JSON object with an entry for each workspace or pattern',
    ],
    [
      'a name twice',
      '{"acme": {}, "acme": {}}',
      'RETENTION_FILE has the same name twice in an object',
    ],
    [
      'an object for a number',
      '{"acme": {"seconds": {}}}',
      'RETENTION_FILE: acme: seconds must be a whole number from 1 to 31536000',
    ],
    [
      'a name that steers a terminal, beside one that is a number',
      '{"\\u001b[2J": {}, "7": {}}',
      'RETENTION_FILE: "\\u001b[2J" is no name of a workspace, nor one with one * in it',
    ],
    [
      'too deep',
      `{"acme": ${'['.repeat(16)}${']'.repeat(16)}}`,
      'RETENTION_FILE is nested deeper than 16 levels',
    ],
    [
      'too much',
      JSON.stringify(Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`w${n}`, {}]))),
      'RETENTION_FILE holds more than 1000 entries',
    ],
  ])('refuses a file that holds %s', async (_, text, fault) => {
    expect(await faultsOf(text)).toEqual([fault]);
  });

  it('refuses a file that is not there', () => {
    expect(() => readConfig({ RETENTION_FILE: join(folder, 'nowhere') })).toThrow(
      'RETENTION_FILE names a file that cannot be read (ENOENT)',
    );
  });
});
