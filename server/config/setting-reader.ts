import { readFileSync } from 'node:fs';

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings by name, each with its default and bounds; what cannot stand is added to `faults`. */
export class SettingReader {
  constructor(
    private readonly env: Environment,
    private readonly faults: string[],
  ) {}

  text(name: string, fallback: string): string {
    // An empty variable is how shells and compose files say "not set".
    return this.env[name]?.trim() || fallback;
  }

  integer(name: string, fallback: number, least: number, most: number): number {
    const text = this.text(name, String(fallback));
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    this.faults.push(`${name} must be a whole number from ${least} to ${most}`);
    return fallback;
  }

  /** `null` where it is not set. */
  optionalInteger(name: string, least: number, most: number): number | null {
    return this.isSet(name) ? this.integer(name, least, least, most) : null;
  }

  /** A number of things; `none` where there shall be no limit. */
  limit(name: string, fallback: number, most: number): number | null {
    if (this.text(name, '') === 'none') return null;
    const text = this.text(name, String(fallback));
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= 1 && value <= most) return value;
    this.faults.push(`${name} must be a whole number from 1 to ${most}, or none`);
    return fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    return this.oneOf(name, ['true', 'false'], fallback ? 'true' : 'false') === 'true';
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice {
    const text = this.text(name, fallback);
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) this.faults.push(`${name} must be one of ${choices.join(', ')}`);
    return choice ?? fallback;
  }

  list(name: string, fallback: readonly string[]): string[] {
    return this.text(name, fallback.join(','))
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }

  listOf<Choice extends string>(name: string, choices: readonly Choice[]): readonly Choice[] {
    const items = this.list(name, choices);
    const chosen = choices.filter((choice) => items.includes(choice));
    if (chosen.length === 0 || items.length !== chosen.length) {
      this.faults.push(`${name} must list some of ${choices.join(', ')}, each once`);
    }
    return chosen;
  }

  origins(name: string): string[] {
    const origins = this.list(name, []);
    if (!origins.every(isOrigin)) {
      this.faults.push(`${name} holds something that is not an origin (https://app.example)`);
    }
    return origins;
  }

  claimName(name: string, fallback: string): string {
    const text = this.text(name, fallback);
    if (/^[A-Za-z][A-Za-z0-9_:/.-]{0,127}$/.test(text) && !(text in Object.prototype)) return text;
    this.faults.push(`${name} must be the name of a claim`);
    return fallback;
  }

  url(name: string): string | null {
    const text = this.text(name, '');
    if (text === '') return null;
    if (isSafeUrl(text)) return new URL(text).href;
    this.faults.push(`${name} must be an https URL (http is accepted for a loopback address only)`);
    return null;
  }

  /** The text of a file; `null` where it is not set. */
  file(name: string): string | null {
    const path = this.text(name, '');
    if (path === '') return null;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      this.faults.push(`${name} names a file that cannot be read (${codeOf(error)})`);
      return null;
    }
  }

  isSet(name: string): boolean {
    return this.text(name, '') !== '';
  }

  refuse(fault: string): void {
    this.faults.push(fault);
  }
}

/** What is read over plain http could be replaced on the way. */
export function isSafeUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
  );
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
