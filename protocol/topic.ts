/** Longest topic, topic pattern or event type, in UTF-16 code units. */
export const MAX_NAME_LENGTH = 256;

/**
 * Whether `text` names a topic or an event type: 1 to 256 characters of well-formed Unicode without white space,
 * control characters, `*` and `,` (which patterns and lists of them use).
 */
export function isName(text: string): boolean {
  return isPattern(text) && !text.includes('*');
}

/** Whether `text` is a pattern of names: a name in which one `*` may stand for any characters, also for none. */
export function isPattern(text: string): boolean {
  return (
    text.length > 0 &&
    text.length <= MAX_NAME_LENGTH &&
    text.indexOf('*') === text.lastIndexOf('*') &&
    !/[\s,\p{Control}\p{Surrogate}\p{Bidi_Control}]/u.test(text)
  );
}

/**
 * Whether `pattern` stands for `name`. One star is all there can be, so that this takes no longer than a comparison:
 * it is done for each event and each pattern of each subscription.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === name;
  return (
    name.length >= pattern.length - 1 &&
    name.startsWith(pattern.slice(0, star)) &&
    name.endsWith(pattern.slice(star + 1))
  );
}

/** Whether some name matches both patterns. */
export function patternsOverlap(one: string, other: string): boolean {
  const [oneStart, oneEnd] = one.split('*');
  const [otherStart, otherEnd] = other.split('*');
  if (oneEnd === undefined) return matchesPattern(other, one);
  if (otherEnd === undefined) return matchesPattern(one, other);
  // Between two beginnings and two ends there is room for any number of characters.
  return (
    areNested(oneStart ?? '', otherStart ?? '', (long, short) => long.startsWith(short)) &&
    areNested(oneEnd, otherEnd, (long, short) => long.endsWith(short))
  );
}

function areNested(
  one: string,
  other: string,
  holds: (long: string, short: string) => boolean,
): boolean {
  return one.length >= other.length ? holds(one, other) : holds(other, one);
}
