import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SETTING_GROUPS } from '../../server/config/settings.js';
import { ConfigError, readConfig } from '../../server/config.js';
import { codeOf, ROOT, readDocument, tableRows } from './markdown.js';

interface Setting {
  readonly name: string;
  /** Empty where there is none. */
  readonly default: string;
  readonly bounds: string;
}

const PAGE = readDocument('docs/configuration.md');
const NONE = '(none)';

const SETTINGS: readonly Setting[] = SETTING_GROUPS.flatMap(({ id }) =>
  tableRows(PAGE, `settings-${id}`).map(([name, , fallback = '', bounds = '']) => ({
    name: codeOf(name) ?? `not a name: ${name}`,
    default: fallback === NONE ? '' : (/^`([^`]+)`/.exec(fallback)?.[1] ?? `none: ${fallback}`),
    bounds,
  })),
);
const NUMBERS = SETTINGS.flatMap(({ name, bounds }) => {
  const [, least, most, orNone = ''] =
    /^(\d+) to (\d+)(, or `none`)?(?:; needs .*)?$/.exec(bounds) ?? [];
  if (least === undefined) return [];
  return [{ name, least: Number(least), most: Number(most), orNone: orNone.replaceAll('`', '') }];
});
const SECRETS = SETTING_GROUPS.flatMap(({ settings }) =>
  settings.flatMap(({ name, isSecret }) => (isSecret ? [`${name}_FILE`] : [])),
);
/** The example's lines that set something, their mark taken off. */
const EXAMPLE = readDocument('.env.example')
  .split('\n')
  .flatMap((line) => {
    const [, name, value] = /^# ([A-Z_]+)=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value: value ?? '' }];
  });
/** What reads settings, apart from the tables that declare them. */
const READERS = ['server/config.ts', ...sourcesIn('server/config')].map(readDocument).join('');

const faultsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
};

/** What must be set for others to mean anything. */
const NEEDED: Readonly<Record<string, string>> = {
  REDIS_URL: 'redis://127.0.0.1',
  AUTHZEN_URL: 'https://iam.example',
  OPS_PORT: '9464',
};
const besideOf = (name: string): Record<string, string> => {
  const { bounds = '' } = SETTINGS.find((setting) => setting.name === name) ?? {};
  const needed = /; needs `(\w+)`$/.exec(bounds)?.[1];
  return needed === undefined ? {} : { [needed]: NEEDED[needed] ?? '' };
};

describe('docs/configuration.md', () => {
  it.each(SETTINGS)('tells of $name, which is read', ({ name }) => {
    expect(READERS).toMatch(new RegExp(`\\bSETTINGS\\.${name}\\b`));
  });

  it('names every file that a secret can be in', () => {
    expect(SECRETS).toHaveLength(4);
    for (const name of SECRETS) expect(PAGE).toContain(`It may be in a file: \`${name}\`.`);
  });

  it('tells what each setting needs that has no effect by itself', () => {
    const needing = SETTINGS.filter(({ name }) => Object.keys(besideOf(name)).length > 0);
    expect(needing.length).toBeGreaterThan(8);
    for (const { name } of needing) {
      const [needed = ''] = Object.keys(besideOf(name));
      const { least, most } = NUMBERS.find((number) => number.name === name) ?? {};
      if (least === undefined) continue;
      // At least one of the two is not the default.
      const faults = [least, most].flatMap((value) => faultsOf({ [name]: `${value}` }));
      expect(faults[0]).toBe(`${name} is set without ${needed}`);
    }
  });

  it.each(SETTINGS)('tells the default of $name', ({ name, default: fallback }) => {
    expect(readConfig({ [name]: fallback })).toEqual(readConfig({}));
  });

  it.each(NUMBERS)('tells the bounds of $name', ({ name, least, most, orNone }) => {
    // Small enough to be in conflict with no bound of another setting.
    const faultsAt = (value: number) =>
      faultsOf({ MAX_EVENT_BYTES: '1024', ...besideOf(name), [name]: String(value) });
    expect(faultsAt(least)).toEqual([]);
    expect(faultsAt(most)).toEqual([]);
    expect(faultsOf({ [name]: String(least - 1) })).toHaveLength(1);
    expect(faultsOf({ [name]: String(most + 1) })).toEqual([
      `${name} must be a whole number from ${least} to ${most}${orNone}`,
    ]);
  });

  it('tells bounds for every number', () => {
    const numbers = SETTINGS.filter(({ default: fallback }) => /^\d+$/.test(fallback));
    const bounded = NUMBERS.map(({ name }) => name);
    expect(bounded).toEqual(expect.arrayContaining(numbers.map(({ name }) => name)));
  });

  it('names every variable that the commands read by themselves', () => {
    const read = sourcesIn('server/cli').flatMap((source) =>
      [...readDocument(source).matchAll(/\benv(?:\.|\[')([A-Z_]+)/g)].map(
        ([, variable]) => variable,
      ),
    );
    const documented = tableRows(PAGE, 'cli-settings').map(([name]) => codeOf(name));
    expect([...documented].sort()).toEqual([...new Set(read)].sort());
  });
});

describe('.env.example', () => {
  it('sets nothing', () => {
    const lines = readDocument('.env.example').split('\n');
    expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
  });

  it('holds every setting at its default', () => {
    const byName = <Item extends { name: string }>(items: readonly Item[]) =>
      [...items].sort((one, other) => (one.name < other.name ? -1 : 1));
    const expected = [
      ...SETTINGS.map(({ name, default: value }) => ({ name, value })),
      ...SECRETS.map((name) => ({ name, value: '' })),
    ];
    expect(byName(EXAMPLE)).toEqual(byName(expected));
  });

  it('can be used as a whole', () => {
    const env = Object.fromEntries(EXAMPLE.map(({ name, value }) => [name, value]));
    expect(readConfig(env)).toEqual(readConfig({}));
  });
});

/** The sources of a folder and of those below it, without their tests. */
function sourcesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => `${folder}/${name}`);
}
