import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
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

const SETTINGS: readonly Setting[] = tableRows(PAGE, 'settings').map(
  ([name, , fallback = '', bounds = '']) => ({
    name: codeOf(name) ?? `not a name: ${name}`,
    default: fallback === NONE ? '' : (codeOf(fallback) ?? `not a default: ${fallback}`),
    bounds,
  }),
);
const NUMBERS = SETTINGS.flatMap(({ name, bounds }) => {
  const [, least, most, orNone = ''] = /^(\d+) to (\d+)(, or `none`)?$/.exec(bounds) ?? [];
  if (least === undefined) return [];
  return [{ name, least: Number(least), most: Number(most), orNone: orNone.replaceAll('`', '') }];
});
/** The example's lines that set something, their mark taken off. */
const EXAMPLE = readDocument('.env.example')
  .split('\n')
  .flatMap((line) => {
    const [, name, value] = /^# ([A-Z_]+)=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value: value ?? '' }];
  });

/** The settings with which others may be read that are not read without them. */
const PROVIDER = {
  JWKS_URI: 'https://id.example/keys',
  TOKEN_ISSUER: 'https://id.example/',
  TOKEN_AUDIENCE: 'sluice',
};

/** The names that are looked up in the environment, whatever becomes of them. */
function namesRead(): string[] {
  const names = new Set<string>();
  for (const env of [{}, PROVIDER]) {
    const recorder: ProxyHandler<Record<string, string>> = {
      get(target, name) {
        names.add(String(name));
        return Reflect.get(target, name);
      },
    };
    readConfig(new Proxy<Record<string, string>>(env, recorder));
  }
  return [...names].sort();
}

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
const besideOf = (name: string): Record<string, string> =>
  name.startsWith('REDIS_') ? { REDIS_URL: 'redis://127.0.0.1' } : {};

describe('docs/configuration.md', () => {
  it('names every setting that is read, and no other', () => {
    const documented = SETTINGS.map(({ name }) => name);
    expect([...documented].sort()).toEqual(namesRead());
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
    const folder = 'server/cli';
    const sources = readdirSync(join(ROOT, folder)).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
    );
    const read = sources.flatMap((name) =>
      [...readDocument(`${folder}/${name}`).matchAll(/\benv(?:\.|\[')([A-Z_]+)/g)].map(
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
    const expected = SETTINGS.map(({ name, default: value }) => ({ name, value }));
    expect(byName(EXAMPLE)).toEqual(byName(expected));
  });

  it('can be used as a whole', () => {
    const env = Object.fromEntries(EXAMPLE.map(({ name, value }) => [name, value]));
    expect(readConfig(env)).toEqual(readConfig({}));
  });
});
