import { readBoundedFile } from './bounded-file.js';
import { linkHint } from './service-links.js';
import type { Setting } from './setting.js';
import { SETTINGS } from './settings.js';

/** Settings by name, as a process or an application has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the value of a setting comes from; `file`: its secret is in the file that `<name>_FILE` names. */
export type SettingSource = 'default' | 'environment' | 'file';

const SECRETS: readonly Setting[] = Object.values(SETTINGS).filter(({ isSecret }) => isSecret);
const MAX_SECRET_FILE_BYTES = 65_536;
/** Of files of settings that are no secrets. */
const MAX_FILE_BYTES = 8_388_608;

/** Reads settings, and gathers what cannot stand. No fault repeats a value, since one of them may be a secret. */
export class SettingReader {
  readonly warnings: string[] = [];
  readonly #env: Environment;
  readonly #faults = new Set<string>();
  /** Names of settings whose own value cannot stand. */
  readonly #refused = new Set<string>();
  readonly #secrets = new Map<string, string>();
  readonly #used = new Map<string, string>();

  constructor(env: Environment) {
    this.#env = env;
  }

  get faults(): readonly string[] {
    return [...this.#faults];
  }

  /** @param fallback in place of its default, where that hangs on what others say */
  value<Value>(setting: Setting<Value>, fallback = this.#fallbackOf(setting)): Value {
    const text = this.given(setting) || fallback;
    this.#used.set(setting.name, text);
    return setting.parse(text, (fault) => {
      // What its file has done wrong is told already.
      if (this.#refused.has(setting.name)) return;
      this.refuse(`${setting.name} ${fault}${linkHint(setting.name, text)}`);
      this.#refused.add(setting.name);
    });
  }

  /** Its text as it is set, without the white space around it; empty where it is not. */
  given(setting: Setting): string {
    const own = this.#variable(setting.name);
    if (!setting.isSecret) return own;
    const known = this.#secrets.get(setting.name);
    if (known !== undefined) return known;
    const secret = this.#secretOf(setting.name, own);
    this.#secrets.set(setting.name, secret);
    return secret;
  }

  /** The text of the file that a setting names; `null` where it is not set or cannot be read. */
  file(setting: Setting<string>): string | null {
    const path = this.value(setting);
    if (path === '' || this.isRefused(setting)) return null;
    const contents = readBoundedFile(path, MAX_FILE_BYTES);
    if ('text' in contents) return contents.text;
    this.refuse(`${setting.name} ${contents.fault}`);
    return null;
  }

  isSet(setting: Setting): boolean {
    return this.sourceOf(setting) !== 'default';
  }

  /** Whether it is set to something else than its default, which can stand by itself. */
  isChanged(setting: Setting): boolean {
    return (
      this.isSet(setting) &&
      !this.isRefused(setting) &&
      this.given(setting) !== this.#fallbackOf(setting)
    );
  }

  isRefused(setting: Setting): boolean {
    return this.#refused.has(setting.name);
  }

  /** Whether a fault is about it in the first place, alone or beside another. */
  isFaulty({ name }: Setting): boolean {
    const about = new RegExp(`^${name}(_FILE)?[: ]`);
    return this.#refused.has(name) || this.faults.some((fault) => about.test(fault));
  }

  sourceOf({ name, isSecret }: Setting): SettingSource {
    if (this.#variable(name) !== '') return 'environment';
    return isSecret && this.#variable(`${name}_FILE`) !== '' ? 'file' : 'default';
  }

  /** The text that counts, its default where it is not set; empty where nobody asked for it. */
  usedText({ name }: Setting): string {
    return this.#used.get(name) ?? '';
  }

  /** @param fault in words for whoever runs the service; it names settings, and repeats no value */
  refuse(fault: string): void {
    // Whoever set JWT_SECRET_FILE looks for that name.
    const inFiles = SECRETS.filter((setting) => this.sourceOf(setting) === 'file');
    this.#faults.add(
      inFiles.reduce(
        (text, { name }) => text.replace(new RegExp(`\\b${name}\\b`, 'g'), `${name}_FILE`),
        fault,
      ),
    );
  }

  #variable(name: string): string {
    const text: unknown = this.#env[name];
    if (text === undefined || text === null) return '';
    // An empty variable is how shells and compose files say "not set".
    if (typeof text === 'string') return text.trim();
    this.#faults.add(`${name} must be a text`);
    this.#refused.add(name);
    return '';
  }

  #secretOf(name: string, own: string): string {
    const path = this.#variable(`${name}_FILE`);
    if (path === '') return own;
    if (own !== '') {
      this.refuse(`${name} is set beside ${name}_FILE: take one of them`);
      return own;
    }
    const contents = readBoundedFile(path, MAX_SECRET_FILE_BYTES);
    const secret = 'text' in contents ? contents.text.trim() : '';
    if ('fault' in contents || secret === '') {
      this.#faults.add(
        `${name}_FILE ${'fault' in contents ? contents.fault : 'names a file with nothing in it'}`,
      );
      this.#refused.add(name);
    } else if (contents.isOpenToOthers) {
      this.warnings.push(`${name}_FILE names a file that is not for its owner alone (chmod o= it)`);
    }
    return secret;
  }

  #fallbackOf({ fallback, fallbackWith }: Setting): string {
    const other = Object.keys(fallbackWith).find(
      (name) => this.#variable(name) !== '' || this.#variable(`${name}_FILE`) !== '',
    );
    return fallbackWith[other ?? ''] ?? fallback;
  }
}
