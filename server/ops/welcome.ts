import { eventsPath, JWKS_PATH } from '@sluice/protocol';
import { type Config, type EmbeddedIssuer, type KeySource, localUrl, placesOf } from '../config.js';

/** Where the command looks for the service, unless told otherwise. */
const DEFAULT_URL = localUrl('127.0.0.1', 3000);

/** What a person reads when the service listens. */
export function welcome(config: Config, url: string, opsPort: number | null): string {
  const head = [
    `Sluice listens on ${url}`,
    ...config.tokens.trustedIssuers.map(
      ({ keys, issuer }) => `  keys    ${describeKeys(keys, issuer, url)}`,
    ),
    config.redis === null
      ? `  data    ${config.dataDir}`
      : `  redis   ${placesOf(config.redis.address)}`,
    ...(config.ops === null || opsPort === null
      ? []
      : [`  ops     ${localUrl(config.ops.host, opsPort)}/readyz /metrics`]),
  ];
  return `${[...head, ...(config.issuer === null ? [] : firstSteps(config, config.issuer, url))].join('\n')}\n`;
}

function describeKeys(keys: KeySource, issuer: string, url: string): string {
  switch (keys.kind) {
    case 'embedded':
      return url + JWKS_PATH;
    case 'jwks':
      // What stands behind the question mark may be a key.
      return keys.uri.replace(/\?.*$/, '?…');
    case 'discovery':
      return `as ${issuer} says`;
    case 'secret':
      return 'JWT_SECRET';
  }
}

function firstSteps(
  { host, dataDir, redis }: Config,
  { isExposed }: EmbeddedIssuer,
  address: string,
): string[] {
  // An address that stands for all of them is one to listen on, not one to ask.
  const url = address.replace(/\/\/(0\.0\.0\.0|\[::\])/, '//127.0.0.1');
  return [
    '',
    redis === null
      ? 'In a second terminal:'
      : 'In a second terminal, with the REDIS_ settings of this one (and ISSUER_KEY_SECRET, if it is set):',
    ...(url === DEFAULT_URL ? [] : [`  export SLUICE_URL=${url}`]),
    // The command reads the keys from where the service has them, wherever it is called.
    `  export SLUICE_TOKEN=$(${redis === null ? `DATA_DIR=${quoted(dataDir)} ` : ''}npx sluice token --workspace acme --subject alice --permissions realtime:subscribe,realtime:publish)`,
    `  curl -N -H "Authorization: Bearer $SLUICE_TOKEN" ${url}${eventsPath('acme')}`,
    '',
    isExposed
      ? `Warning: the embedded issuer, which is for one machine, answers all that reach ${host} (ISSUER_EXPOSED).`
      : redis === null
        ? 'Warning: tokens come from the embedded issuer, which is for one machine.'
        : 'Warning: tokens come from the embedded issuer, whose keys all nodes share. It answers this machine alone.',
    'To use an identity provider, set TOKEN_ISSUER to its address, and TOKEN_AUDIENCE.',
  ];
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
