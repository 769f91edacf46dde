import { eventsPath, JWKS_PATH } from '@sluice/protocol';
import { type Config, localUrl } from '../config.js';

/** Where the command looks for the service, unless told otherwise. */
const DEFAULT_URL = localUrl('127.0.0.1', 3000);

/** What a person reads when the service listens. */
export function welcome(config: Config, url: string): string {
  const head = [
    `Sluice listens on ${url}`,
    `  keys    ${config.jwksUri ?? url + JWKS_PATH}`,
    `  data    ${config.dataDir}`,
  ];
  return `${[...head, ...(config.issuerEnabled ? firstSteps(config, url) : [])].join('\n')}\n`;
}

function firstSteps({ host, dataDir, issuerExposed }: Config, address: string): string[] {
  // An address that stands for all of them is one to listen on, not one to ask.
  const url = address.replace(/\/\/(0\.0\.0\.0|\[::\])/, '//127.0.0.1');
  return [
    '',
    'In a second terminal:',
    ...(url === DEFAULT_URL ? [] : [`  export SLUICE_URL=${url}`]),
    // The command reads the keys from the data folder, wherever it is called.
    `  export SLUICE_TOKEN=$(DATA_DIR=${quoted(dataDir)} npx sluice token --workspace acme --subject alice --permissions realtime:subscribe,realtime:publish)`,
    `  curl -N "${url}${eventsPath('acme')}?access_token=$SLUICE_TOKEN"`,
    '',
    issuerExposed
      ? `Warning: the embedded issuer, which is for one machine, answers all that reach ${host} (ISSUER_EXPOSED).`
      : 'Warning: tokens come from the embedded issuer, which is for one machine.',
    'To use an identity provider, set JWKS_URI, TOKEN_ISSUER and TOKEN_AUDIENCE.',
  ];
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
