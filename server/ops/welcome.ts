import { eventsPath, JWKS_PATH } from '@sluice/protocol';
import { type Config, DEFAULT_DATA_DIR } from '../config.js';

/** What a person reads when the service listens. */
export function welcome(config: Config, url: string): string {
  const head = [
    `Sluice listens on ${url}`,
    `  keys    ${config.jwksUri ?? url + JWKS_PATH}`,
    `  data    ${config.dataDir}`,
  ];
  return `${[...head, ...(config.issuerEnabled ? firstSteps(config, url) : [])].join('\n')}\n`;
}

function firstSteps({ dataDir }: Config, url: string): string[] {
  // The command reads the keys from the data folder, so it must be told of one that is not the default.
  const where = dataDir === DEFAULT_DATA_DIR ? '' : `DATA_DIR=${quoted(dataDir)} `;
  return [
    '',
    'In a second terminal:',
    `  export SLUICE_TOKEN=$(${where}npx sluice token --workspace acme --subject alice --permissions realtime:subscribe,realtime:publish)`,
    `  curl -N "${url}${eventsPath('acme')}?access_token=$SLUICE_TOKEN"`,
    '',
    'Warning: tokens come from the embedded issuer, which is for one machine.',
    'To use an identity provider, set JWKS_URI, TOKEN_ISSUER and TOKEN_AUDIENCE.',
  ];
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
