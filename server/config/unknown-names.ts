import { isServiceLink } from './service-links.js';
import type { Environment } from './setting-reader.js';
import { SETTINGS } from './settings.js';

/** Names that belong to the command and to programs of a service account (docs/sdk.md), and may stand beside the settings. */
const NAMES_OF_CLIENTS = [
  'SLUICE_URL',
  'SLUICE_TOKEN',
  'SLUICE_TOKEN_FILE',
  'SLUICE_CLIENT_ID',
  'SLUICE_CLIENT_SECRET',
];
/** All that can be set. */
const NAMES = Object.values(SETTINGS).flatMap(({ name, isSecret }) =>
  isSecret ? [name, `${name}_FILE`] : [name],
);
const OWN = 'SLUICE_';

/** A fault for each name that claims to be ours and is not. Empty ones count as not set. */
export function unknownOwnNames(env: Environment): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const text = `${value ?? ''}`.trim();
    const isOurs = name.startsWith(OWN) && text !== '' && !isServiceLink(name, text);
    return isOurs && !NAMES_OF_CLIENTS.includes(name) ? [faultOf(name)] : [];
  });
}

/**
 * A fault for each name that an application has written itself. What stands with the same value in its environment is not:
 * `process.env` as a whole may be handed over, and holds much that is not ours.
 */
export function unknownGivenNames(settings: Environment, environment: Environment): string[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    const isKnown = NAMES.includes(name) || NAMES_OF_CLIENTS.includes(name);
    const isOurs = value !== undefined && !isKnown && environment[name] !== value;
    return isOurs && !name.startsWith(OWN) ? [faultOf(name)] : [];
  });
}

/**
 * A warning for each variable that looks like a setting with a slip in it. It may belong to another program, so it is no
 * fault; where the setting that it looks like is set too, it surely does.
 */
export function likelySlips(env: Environment): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const text = `${value ?? ''}`.trim();
    if (text === '' || name.startsWith(OWN) || NAMES.includes(name)) return [];
    if (isServiceLink(name, text)) return [];
    const unread = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : '';
    if (NAMES.includes(unread)) {
      return [`${shown(name)} has no effect: ${unread} is no secret, and is not read from a file`];
    }
    const meant = nearest(name);
    return meant === null || env[meant] || env[`${meant}_FILE`]
      ? []
      : [`${shown(name)} is no setting; is ${meant} meant?`];
  });
}

function faultOf(name: string): string {
  const bare = name.startsWith(OWN) ? name.slice(OWN.length) : name;
  if (NAMES.includes(bare)) return `${name} is no setting: the setting is called ${bare}`;
  // Whoever writes the prefix means us: there is more room for slips than in names that may be anybody's.
  const meant = nearest(name) ?? nearest(bare, Math.max(1, Math.floor(bare.length / 4)));
  const hint = meant === null ? ' (docs/configuration.md lists them all)' : `; is ${meant} meant?`;
  return `${shown(name)} is no setting${hint}`;
}

/** A name can hold anything, and is told to a terminal. */
function shown(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, '?').slice(0, 100);
}

/** The name that it is most like, if it is like one at all. Short names are like too many others. */
function nearest(
  name: string,
  most = name.length < 7 ? 0 : name.length < 12 ? 1 : 2,
): string | null {
  const candidates = [...NAMES, ...NAMES_OF_CLIENTS]
    .map((candidate) => ({ candidate, distance: distanceOf(name, candidate) }))
    .filter(({ distance }) => distance <= most)
    .sort((one, other) => one.distance - other.distance);
  return candidates[0]?.candidate ?? null;
}

/** How many letters must be put in, left out, replaced or swapped with their neighbour (optimal string alignment). */
function distanceOf(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 2) return Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      let least = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
      );
      const isSwapped =
        row > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (isSwapped) least = Math.min(least, at(beforeLast, column - 2) + 1);
      current.push(least);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, other.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
