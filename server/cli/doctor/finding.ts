/** What a check came to. A warning works today; a problem keeps somebody out or makes them wait. */
export type Verdict = 'ok' | 'warning' | 'problem' | 'skipped';

/** For programs: plain values by name. */
export type Facts = Readonly<Record<string, unknown>>;

export interface Finding {
  readonly verdict: Verdict;
  /** What was seen, a line each; of a check that was skipped, why. */
  readonly seen: readonly string[];
  /** What to do about it; `null` where there is nothing to do. */
  readonly advice: string | null;
  readonly facts: Facts;
}

export function ok(seen: string | readonly string[], facts: Facts = {}): Finding {
  return { verdict: 'ok', seen: [seen].flat(), advice: null, facts };
}

export function warning(
  seen: string | readonly string[],
  advice: string,
  facts: Facts = {},
): Finding {
  return { verdict: 'warning', seen: [seen].flat(), advice, facts };
}

export function problem(
  seen: string | readonly string[],
  advice: string,
  facts: Facts = {},
): Finding {
  return { verdict: 'problem', seen: [seen].flat(), advice, facts };
}

export function skipped(reason: string): Finding {
  return { verdict: 'skipped', seen: [reason], advice: null, facts: {} };
}

/** The graver of two. */
export function graver(one: Verdict, other: Verdict): Verdict {
  const order: readonly Verdict[] = ['skipped', 'ok', 'warning', 'problem'];
  return order.indexOf(one) >= order.indexOf(other) ? one : other;
}
