import type { Setting } from './setting.js';
import type { SettingReader } from './setting-reader.js';
import { SETTINGS } from './settings.js';
import type { TrustedIssuer } from './trusted-issuers.js';

const ALL: readonly Setting[] = Object.values(SETTINGS);

/**
 * Refuses what is set and would have no effect: whoever set it takes the service for another than it is.
 * @param hasPorts whether the service opens ports itself; within an application there are metrics without one
 */
export function refuseWithoutEffect(
  read: SettingReader,
  trusted: readonly TrustedIssuer[],
  hasPorts: boolean,
): void {
  for (const setting of ALL) {
    const { name, needs } = setting;
    if (needs?.name === SETTINGS.OPS_PORT.name && !hasPorts) continue;
    if (needs === null || !read.isChanged(setting)) continue;
    const needed = ALL.find((other) => other.name === needs.name);
    if (needed === undefined || read.isSet(needed)) continue;
    read.refuse(`${name} is set without ${needs.name}${needs.why ? `: ${needs.why}` : ''}`);
  }
  if (
    read.isChanged(SETTINGS.QUERY_TOKEN_MAX_LIFETIME_SECONDS) &&
    !read.value(SETTINGS.QUERY_TOKENS)
  ) {
    read.refuse(
      'QUERY_TOKEN_MAX_LIFETIME_SECONDS is set while QUERY_TOKENS is false: no such token is accepted',
    );
  }
  refuseOfIssuers(read, trusted);
}

function refuseOfIssuers(read: SettingReader, trusted: readonly TrustedIssuer[]): void {
  const kinds = trusted.map(({ keys }) => keys.kind);
  if (trusted.length > 0 && !kinds.includes('embedded')) {
    const cause = read.isSet(SETTINGS.ISSUER_ENABLED)
      ? 'ISSUER_ENABLED is false'
      : `${causeOf(read)} is set: set ISSUER_ENABLED=true if it shall run`;
    for (const setting of [SETTINGS.ISSUER_EXPOSED, SETTINGS.ISSUER_KEY_SECRET]) {
      if (!read.isChanged(setting)) continue;
      read.refuse(`${setting.name} is for the embedded issuer, which does not run since ${cause}`);
    }
    if (read.isSet(SETTINGS.TOKEN_ISSUERS) && read.isChanged(SETTINGS.TOKEN_AUDIENCE)) {
      read.refuse(
        'TOKEN_AUDIENCE is set beside TOKEN_ISSUERS: name the audience of each issuer there',
      );
    }
  }
  if (
    kinds.length > 0 &&
    kinds.every((kind) => kind === 'secret') &&
    read.isChanged(SETTINGS.TOKEN_ALGORITHMS)
  ) {
    read.refuse('TOKEN_ALGORITHMS is set beside JWT_SECRET: such tokens are HS256, and no other');
  }
}

/** What names the issuer in place of the embedded one. */
function causeOf(read: SettingReader): string {
  const { TOKEN_ISSUERS, JWKS_URI, JWT_SECRET, TOKEN_ISSUER } = SETTINGS;
  const named = [TOKEN_ISSUERS, JWKS_URI, JWT_SECRET].find((setting) => read.isSet(setting));
  return (named ?? TOKEN_ISSUER).name;
}

/** What can stand, and is surely not meant: nothing changes by it. */
export function uselessSettings(read: SettingReader): string[] {
  const warnings: string[] = [];
  const isOverruled = (setting: Setting<number | null>, by: Setting<number>) =>
    read.isChanged(setting) && (read.value(setting) ?? 0) > read.value(by);
  const { MAX_STREAMS, TOKEN_MAX_LIFETIME_SECONDS, AUTHZEN_URL, POLICY_FILE } = SETTINGS;
  for (const setting of [
    SETTINGS.MAX_STREAMS_PER_SUBJECT,
    SETTINGS.MAX_STREAMS_PER_WORKSPACE,
    SETTINGS.MAX_STREAMS_PER_ADDRESS,
  ]) {
    if (isOverruled(setting, MAX_STREAMS)) {
      warnings.push(`${setting.name} is above MAX_STREAMS, and so has no effect`);
    }
  }
  if (isOverruled(SETTINGS.QUERY_TOKEN_MAX_LIFETIME_SECONDS, TOKEN_MAX_LIFETIME_SECONDS)) {
    warnings.push(
      'QUERY_TOKEN_MAX_LIFETIME_SECONDS is above TOKEN_MAX_LIFETIME_SECONDS, and so has no effect',
    );
  }
  if (!read.isSet(AUTHZEN_URL) && !read.isSet(POLICY_FILE)) {
    for (const setting of [SETTINGS.RECHECK_INTERVAL_MS, SETTINGS.RECHECK_GRACE_MS]) {
      if (!read.isChanged(setting)) continue;
      warnings.push(
        `${setting.name} is set without AUTHZEN_URL or POLICY_FILE: what a token itself permits does not change`,
      );
    }
  }
  return warnings;
}
