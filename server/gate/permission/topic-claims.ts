import { isPattern, type Permission } from '@sluice/protocol';
import { permissionOf } from './permission-name.js';

/** Most patterns that one token may name. */
const MAX_PATTERNS = 100;

/** What a token says of topics: the claim `permissions` where it is an object. */
export interface TopicClaims {
  /** `rooms`: patterns of topics to subscribe to, and for whatever else the token grants; `null` where it is not there. */
  readonly rooms: readonly string[] | null;
  /** The other members: patterns of topics, each with what is granted on them. */
  readonly actions: readonly (readonly [topic: string, granted: readonly Permission[]])[];
}

/**
 * Reads `{ "rooms": ["document-*"] }` and `{ "orders": ["subscribe", "publish"] }`, also both in one; `null` where any of
 * it is malformed. An action of another name is not malformed: it grants nothing here.
 */
export function readTopicClaims(claim: object): TopicClaims | null {
  let rooms: readonly string[] | null = null;
  const actions: TopicClaims['actions'][number][] = [];
  for (const [name, texts] of Object.entries(claim)) {
    if (!isListOfTexts(texts)) return null;
    if (name === 'rooms') rooms = texts;
    else actions.push([name, texts.map(permissionOf).filter((granted) => granted !== null)]);
  }
  const patterns = [...(rooms ?? []), ...actions.map(([topic]) => topic)];
  return patterns.length <= MAX_PATTERNS && patterns.every(isPattern) ? { rooms, actions } : null;
}

function isListOfTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
