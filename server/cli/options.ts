import { parseArgs } from 'node:util';
import { isPermission, isWorkspace, PERMISSIONS, type Permission } from '@sluice/protocol';
import { UsageError } from './command.js';

/** The options of one command line, by name; each takes a value, apart from flags. */
export interface Options<Name extends string, Flag extends string = never> {
  /** The value, if it was given; not more than once. */
  one(name: Name): string | undefined;
  required(name: Name): string;
  /** The comma-separated items, none of them empty; none where the option was not given. */
  list(name: Name): readonly string[];
  wholeNumber(name: Name, least: number, most: number): number | undefined;
  workspace(name: Name): string;
  /** One or more: the option may be repeated. */
  workspaces(name: Name): readonly string[];
  permissions(name: Name): readonly Permission[];
  isGiven(flag: Flag): boolean;
}

/** @throws UsageError for an option not among those named, one without a value, and arguments without an option. */
export function readOptions<Name extends string, Flag extends string = never>(
  args: readonly string[],
  names: readonly Name[],
  flags: readonly Flag[] = [],
): Options<Name, Flag> {
  const { values, given } = parse(args, names, flags);
  const all = (name: Name): readonly string[] => values[name] ?? [];
  const readWorkspace = (name: Name, text: string): string => {
    if (isWorkspace(text)) return text;
    throw new UsageError(`--${name} must be 1 to 64 letters, digits, "_" and "-"`);
  };

  const options: Options<Name, Flag> = {
    one(name) {
      const [value, another] = all(name);
      if (another !== undefined) throw new UsageError(`--${name} is given more than once`);
      return value;
    },

    required(name) {
      const value = options.one(name);
      if (value === undefined || value === '') throw new UsageError(`--${name} is missing`);
      return value;
    },

    list(name) {
      const text = options.one(name);
      if (text === undefined) return [];
      const items = text.split(',').map((item) => item.trim());
      // `--topics "$TOPICS"` with nothing in it must not mean everything.
      if (items.includes('')) throw new UsageError(`--${name} has an empty item`);
      return items;
    },

    wholeNumber(name, least, most) {
      const text = options.one(name);
      if (text === undefined) return undefined;
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= least && value <= most) return value;
      throw new UsageError(`--${name} must be a whole number from ${least} to ${most}`);
    },

    workspace: (name) => readWorkspace(name, options.required(name)),

    workspaces(name) {
      if (all(name).length === 0) throw new UsageError(`--${name} is missing`);
      return all(name).map((text) => readWorkspace(name, text));
    },

    permissions(name) {
      options.required(name);
      const items = options.list(name);
      if (items.length > 0 && items.every(isPermission)) return items;
      throw new UsageError(`--${name} must list some of ${PERMISSIONS.join(', ')}`);
    },

    isGiven: (flag) => given.has(flag),
  };
  return options;
}

interface Parsed {
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** The flags that are there. */
  readonly given: ReadonlySet<string>;
}

function parse(
  args: readonly string[],
  names: readonly string[],
  flags: readonly string[],
): Parsed {
  // All may repeat as far as the parser goes: it would otherwise let the last one win without a word.
  const valued = names.map((name) => [name, { type: 'string', multiple: true }] as const);
  const bare = flags.map((flag) => [flag, { type: 'boolean' }] as const);
  try {
    const { values } = parseArgs({
      args: [...args],
      options: Object.fromEntries([...valued, ...bare]),
    });
    return {
      values: values as Record<string, string[]>,
      given: new Set(Object.keys(values).filter((name) => flags.includes(name))),
    };
  } catch (error) {
    const dashed = dashedValue(args, names);
    if (dashed !== undefined && codeOf(error) === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') {
      const { option, value } = dashed;
      throw new UsageError(
        `${option} has no value; one that begins with a dash is given as ${option}=${value}`,
      );
    }
    const [firstSentence = ''] = (error as Error).message.split(/(?<=\.)\s|\n/);
    throw new UsageError(firstSentence.replace(/\.$/, ''));
  }
}

/** The first option that is followed by what looks like another one. */
function dashedValue(args: readonly string[], names: readonly string[]) {
  for (const [index, option] of args.entries()) {
    const value = args[index + 1];
    const isDashed = value !== undefined && value.length > 1 && value.startsWith('-');
    if (isDashed && names.some((name) => option === `--${name}`)) return { option, value };
  }
  return undefined;
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}
