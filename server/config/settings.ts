import type { Setting, SettingGroup } from './setting.js';
import { PUBLISH_SETTINGS, RETENTION_SETTINGS } from './settings/events.js';
import { PERMISSION_SETTINGS } from './settings/permissions.js';
import { NETWORK_SETTINGS, OPS_SETTINGS, PLACE_SETTINGS } from './settings/place.js';
import { REDIS_SETTINGS } from './settings/redis.js';
import { ADMISSION_SETTINGS, STREAM_SETTINGS } from './settings/streams.js';
import { ISSUER_SETTINGS, TOKEN_SETTINGS } from './settings/tokens.js';

/** Every setting by its name. Reading, docs/configuration.md and .env.example are made from this. */
export const SETTINGS = {
  ...PLACE_SETTINGS,
  ...OPS_SETTINGS,
  ...NETWORK_SETTINGS,
  ...TOKEN_SETTINGS,
  ...ISSUER_SETTINGS,
  ...PERMISSION_SETTINGS,
  ...STREAM_SETTINGS,
  ...ADMISSION_SETTINGS,
  ...PUBLISH_SETTINGS,
  ...RETENTION_SETTINGS,
  ...REDIS_SETTINGS,
};

/** All of them, in the order and with the words of the documents. */
export const SETTING_GROUPS: readonly SettingGroup[] = [
  group('place', 'Where it listens and keeps its data', '', PLACE_SETTINGS),
  group('ops', 'For operators', 'The port on which probes and scrapers ask.', OPS_SETTINGS),
  group('network', 'Browsers and proxies', '', NETWORK_SETTINGS),
  group(
    'tokens',
    'Which tokens it accepts',
    'For an identity provider set TOKEN_ISSUER and TOKEN_AUDIENCE; JWKS_URI where it publishes no metadata.',
    TOKEN_SETTINGS,
  ),
  group(
    'issuer',
    'The embedded issuer',
    'Beside another issuer it is off, unless it is asked for here.',
    ISSUER_SETTINGS,
  ),
  group(
    'permissions',
    'Who decides what a token may do',
    'Its claims, unless one of these is set.',
    PERMISSION_SETTINGS,
  ),
  group('streams', 'Streams', '', STREAM_SETTINGS),
  group('admission', 'How many may come', '', ADMISSION_SETTINGS),
  group('publish', 'Publishing', '', PUBLISH_SETTINGS),
  group(
    'retention',
    'History',
    "How much of each workspace's history is kept.",
    RETENTION_SETTINGS,
  ),
  group('redis', 'The Redis that several nodes share', '', REDIS_SETTINGS),
];

function group(
  id: string,
  title: string,
  about: string,
  settings: Readonly<Record<string, Setting>>,
): SettingGroup {
  return { id, title, about, settings: Object.values(settings) };
}
