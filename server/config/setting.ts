/** What is said of a setting beside its name, and how its text is read. */
export interface SettingRule<Value> {
  /** One line of Markdown: what it is for. */
  readonly meaning: string;
  /** As it would be written; empty where there is none. */
  readonly fallback: string;
  /** The default where another setting is set, by that one's name. */
  readonly fallbackWith: Readonly<Record<string, string>>;
  /** Markdown: which values it may have. */
  readonly bounds: string;
  /** Whether it may stand in a file (`<name>_FILE`), and is never shown. */
  readonly isSecret: boolean;
  /** Without this other setting it has no effect, and the reason why that is told. */
  readonly needs: { readonly name: string; readonly why?: string } | null;
  /** @param refuse told what is wrong, in words that follow the name and repeat nothing of the text */
  parse(text: string, refuse: (fault: string) => void): Value;
  /** What of a text that can stand may be shown. */
  show(text: string): string;
}

export interface Setting<Value = unknown> extends SettingRule<Value> {
  readonly name: string;
}

/** Settings that belong together, in the order in which the documents tell of them. */
export interface SettingGroup {
  /** A word for marks and anchors. */
  readonly id: string;
  readonly title: string;
  /** A line before the table; a comment in `.env.example`. */
  readonly about: string;
  readonly settings: readonly Setting[];
}

type Rules = Readonly<Record<string, SettingRule<unknown>>>;
type Named<Group extends Rules> = {
  readonly [Name in keyof Group]: Group[Name] & { readonly name: string };
};

/** A name stands once: as the key. */
export function nameSettings<const Group extends Rules>(rules: Group): Named<Group> {
  const named = Object.entries(rules).map(([name, rule]) => [name, { ...rule, name }]);
  return Object.fromEntries(named) as Named<Group>;
}

/** What every kind of setting may say of itself. */
export interface SettingOptions {
  readonly meaning: string;
  readonly bounds?: string;
  readonly isSecret?: boolean;
  readonly needs?: { readonly name: string; readonly why?: string };
  readonly fallbackWith?: Readonly<Record<string, string>>;
}

/** The plainest rule; the kinds of settings (setting-kinds.ts) are made of it. */
export function settingRule<Value>(
  { meaning, bounds = '', isSecret = false, needs, fallbackWith = {} }: SettingOptions,
  fallback: string,
  parse: SettingRule<Value>['parse'],
  show: (text: string) => string = (text) => text,
): SettingRule<Value> {
  return { meaning, bounds, isSecret, needs: needs ?? null, fallbackWith, fallback, parse, show };
}
