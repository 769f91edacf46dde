import type { Finding } from './finding.js';

const MAX_LINE_CHARACTERS = 400;
/** What is shorter is no secret, and stands in many words. */
const MIN_SECRET_CHARACTERS = 8;
const MAX_DEPTH = 5;

/**
 * Makes a finding fit to be shown: what came over the network must not steer a terminal, fill the screen, or give back the
 * token that it was sent.
 */
export function fitToShow(finding: Finding, secrets: readonly string[]): Finding {
  const text = (line: string) => cleanText(line, secrets);
  return {
    verdict: finding.verdict,
    seen: finding.seen.map(text),
    advice: finding.advice === null ? null : text(finding.advice),
    facts: clean(finding.facts, text, 0) as Finding['facts'],
  };
}

export function cleanText(line: string, secrets: readonly string[] = []): string {
  let shown = line;
  // The longest first: a secret may hold another one.
  for (const secret of [...secrets].sort((one, other) => other.length - one.length)) {
    if (secret.length >= MIN_SECRET_CHARACTERS) shown = shown.replaceAll(secret, '[token]');
  }
  shown = shown.replace(/[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]+/gu, ' ').trimEnd();
  return shown.length > MAX_LINE_CHARACTERS ? `${shown.slice(0, MAX_LINE_CHARACTERS)}…` : shown;
}

function clean(value: unknown, text: (line: string) => string, depth: number): unknown {
  if (typeof value === 'string') return text(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => clean(item, text, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, 100)
      .map(([name, item]) => [text(name), clean(item, text, depth + 1)]),
  );
}
