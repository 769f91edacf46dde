import { hasControlCharacter } from './frame.js';

/** Longest topic, topic pattern or event type, in UTF-16 code units. */
export const MAX_NAME_LENGTH = 256;

/**
 * Whether `text` names a topic or an event type: 1 to 256 characters of well-formed Unicode without white space,
 * control characters, `*` and `,` (which patterns and lists of them use).
 */
export function isName(text: string): boolean {
  return isPattern(text) && !text.includes('*');
}

/** Whether `text` is a pattern of names: a name in which each `*` stands for any characters, also for none. */
export function isPattern(text: string): boolean {
  return (
    text.length > 0 &&
    text.length <= MAX_NAME_LENGTH &&
    !/[\s,]|\p{Surrogate}|\p{Bidi_Control}/u.test(text) &&
    !hasControlCharacter(text)
  );
}

/** Whether `pattern` stands for `name`. Time is at most the product of both lengths, whatever the pattern. */
export function matchesPattern(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let resumeAt = 0;
  let p = 0;
  while (at < name.length) {
    if (pattern[p] === '*') {
      star = p++;
      resumeAt = at;
    } else if (pattern[p] === name[at]) {
      p++;
      at++;
    } else if (star >= 0) {
      // The last star takes one character more, and the rest is tried again.
      p = star + 1;
      at = ++resumeAt;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
