import { isIP } from 'node:net';
import { type SettingOptions, type SettingRule, settingRule } from './setting.js';

// The kinds of settings. A text that cannot stand is refused, and counts as the default from there on, so that one fault is
// told once.

export interface IntegerRule extends SettingRule<number> {
  readonly least: number;
  readonly most: number;
}

type Range = SettingOptions & { readonly least: number; readonly most: number };

export function integer(options: Range & { readonly fallback: number }): IntegerRule {
  const { least, most, fallback } = options;
  const rule = settingRule(
    { bounds: `${least} to ${most}`, ...options },
    String(fallback),
    (text, refuse) =>
      wholeNumber(text, least, most) ?? refused(refuse, integerFault(options), fallback),
  );
  return { ...rule, least, most };
}

/** `null` where it is not set. */
export function optionalInteger(options: Range): SettingRule<number | null> {
  const { least, most } = options;
  return settingRule({ bounds: `${least} to ${most}`, ...options }, '', (text, refuse) =>
    text === ''
      ? null
      : (wholeNumber(text, least, most) ?? refused(refuse, integerFault(options), null)),
  );
}

/** A number of things from 1; `none`, read as `null`, where there shall be no limit. */
export function limit(
  options: SettingOptions & { readonly most: number; readonly fallback: number },
): SettingRule<number | null> {
  const { most, fallback } = options;
  return settingRule(
    { bounds: `1 to ${most}, or \`none\``, ...options },
    String(fallback),
    (text, refuse) => {
      if (text === 'none') return null;
      const fault = `${integerFault({ least: 1, most })}, or none`;
      return wholeNumber(text, 1, most) ?? refused(refuse, fault, fallback);
    },
  );
}

export function flag(
  options: SettingOptions & { readonly fallback: boolean },
): SettingRule<boolean> {
  const { fallback } = options;
  return settingRule(
    { bounds: '`true` or `false`', ...options },
    String(fallback),
    (text, refuse) =>
      text === 'true' || text === 'false'
        ? text === 'true'
        : refused(refuse, 'must be one of true, false', fallback),
  );
}

export function oneOf<const Choice extends string>(
  options: SettingOptions & {
    readonly choices: readonly Choice[];
    readonly fallback: NoInfer<Choice>;
  },
): SettingRule<Choice> {
  const { choices, fallback } = options;
  return settingRule(
    { bounds: `one of ${choices.map((choice) => `\`${choice}\``).join(', ')}`, ...options },
    fallback,
    (text, refuse) =>
      choices.find((choice) => choice === text) ??
      refused(refuse, `must be one of ${choices.join(', ')}`, fallback),
  );
}

/** All of them by default. */
export function someOf<const Choice extends string>(
  options: SettingOptions & { readonly choices: readonly Choice[] },
): SettingRule<readonly Choice[]> {
  const { choices } = options;
  return settingRule(options, choices.join(','), (text, refuse) => {
    const items = itemsOf(text);
    const chosen = choices.filter((choice) => items.includes(choice));
    if (chosen.length > 0 && items.length === chosen.length) return chosen;
    return refused(refuse, `must list some of ${choices.join(', ')}, each once`, choices);
  });
}

/** Items between commas, none by default. @param options.fault told where one of them cannot stand */
export function list(
  options: SettingOptions & {
    readonly most: number;
    readonly fault: string;
    isItem(text: string): boolean;
  },
): SettingRule<readonly string[]> {
  const { most, fault, isItem } = options;
  return settingRule(options, '', (text, refuse) => {
    const items = itemsOf(text);
    return items.length <= most && items.every(isItem) ? items : refused(refuse, fault, []);
  });
}

/** Any text up to `most` characters, unless `isValid` says more. Empty where it is not set and has no default. */
export function text(
  options: SettingOptions & {
    readonly fallback?: string;
    readonly most: number;
    /** Told in place of what is too long. */
    readonly fault?: string;
    isValid?(text: string): boolean;
  },
): SettingRule<string> {
  const { fallback = '', most, isValid = () => true } = options;
  const { fault = `must have at most ${most} characters` } = options;
  return settingRule(
    { bounds: `text, up to ${most} characters`, ...options },
    fallback,
    (given, refuse) =>
      given === '' || (given.length <= most && isValid(given))
        ? given
        : refused(refuse, fault, fallback),
  );
}

/** Of a file or a folder; empty where it is not set and has no default. Linux takes no longer ones (PATH_MAX). */
export function path(
  options: SettingOptions & { readonly fallback?: string },
): SettingRule<string> {
  const fault = 'must be a path of at most 4095 bytes';
  const isValid = (given: string) => Buffer.byteLength(given) <= 4_095 && !given.includes('\0');
  return text({ bounds: 'a path', most: 4_095, fault, isValid, ...options });
}

/** To listen on. */
export function host(options: SettingOptions & { readonly fallback: string }): SettingRule<string> {
  return text({
    bounds: 'a name or an IP address',
    most: 253,
    fault: 'must be a name or an IP address',
    isValid: (given) =>
      isIP(given) !== 0 || /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(given),
    ...options,
  });
}

/** Of somebody who is asked: `null` where it is not set. */
export function url(options: SettingOptions): SettingRule<string | null> {
  return settingRule(
    { bounds: 'an `https` URL; `http` for a loopback address only', ...options },
    '',
    (given, refuse) => {
      if (given === '') return null;
      if (given.length <= 2_048 && isSafeUrl(given)) return new URL(given).href;
      const fault = 'must be an https URL (http is accepted for a loopback address only)';
      return refused(refuse, fault, null);
    },
    // What stands behind the question mark may be a key.
    (given) => given.replace(/\?.*$/, '?…'),
  );
}

/** What is read over plain http could be replaced on the way. */
export function isSafeUrl(given: string): boolean {
  const parsed = URL.canParse(given) ? new URL(given) : null;
  if (parsed === null || parsed.username !== '' || parsed.password !== '' || parsed.hash !== '') {
    return false;
  }
  return (
    parsed.protocol === 'https:' || (parsed.protocol === 'http:' && isLoopback(parsed.hostname))
  );
}

export function isLoopback(name: string): boolean {
  return (
    name === 'localhost' || name === '::1' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)
  );
}

function itemsOf(given: string): string[] {
  return given
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function wholeNumber(given: string, least: number, most: number): number | null {
  const value = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
  return value >= least && value <= most ? value : null;
}

function integerFault({ least, most }: { least: number; most: number }): string {
  return `must be a whole number from ${least} to ${most}`;
}

function refused<Value>(refuse: (fault: string) => void, fault: string, instead: Value): Value {
  refuse(fault);
  return instead;
}
