import { describe, expect, it } from '@jest/globals';
import { inspectConfig, readConfig, readGivenConfig } from '../config.js';

type Settings = Readonly<Record<string, string | undefined>>;
const faultsOf = (settings: Settings) => inspectConfig(settings).faults;
const warningsOf = (settings: Settings) => inspectConfig(settings).warnings;

describe('names that begin with SLUICE_', () => {
  it.each([
    ['SLUICE_PORT', 'SLUICE_PORT is no setting: the setting is called PORT'],
    ['SLUICE_REDIS_URL', 'SLUICE_REDIS_URL is no setting: the setting is called REDIS_URL'],
    [
      'SLUICE_JWT_SECRET_FILE',
      'SLUICE_JWT_SECRET_FILE is no setting: the setting is called JWT_SECRET_FILE',
    ],
    ['SLUICE_MAX_STREAM', 'SLUICE_MAX_STREAM is no setting; is MAX_STREAMS meant?'],
    ['SLUICE_PROT', 'SLUICE_PROT is no setting; is PORT meant?'],
    ['SLUICE_URI', 'SLUICE_URI is no setting; is SLUICE_URL meant?'],
    ['SLUICE_TOKNE', 'SLUICE_TOKNE is no setting; is SLUICE_TOKEN meant?'],
    ['SLUICE_', 'SLUICE_ is no setting (docs/configuration.md lists them all)'],
    ['SLUICE_COLOUR', 'SLUICE_COLOUR is no setting (docs/configuration.md lists them all)'],
    ['SLUICE_\u001b[2J', 'SLUICE_?[2J is no setting (docs/configuration.md lists them all)'],
  ])('are refused where they are none of ours: %j', (name, fault) => {
    expect(faultsOf({ [name]: 's3cr3t' })).toEqual([fault]);
  });

  it('may be those of the command, and may be empty', () => {
    const settings = {
      SLUICE_URL: 'http://127.0.0.1:3000',
      SLUICE_TOKEN: 'a.b.c',
      SLUICE_TOKEN_FILE: '/token',
      SLUICE_CLIENT_ID: 'billing',
      SLUICE_CLIENT_SECRET: 'x',
      SLUICE_PORT: ' ',
      SLUICE_HOST: undefined,
    };
    expect(readConfig(settings)).toEqual(readConfig({}));
    expect(warningsOf(settings)).toEqual([]);
  });
});

describe('what Kubernetes writes for Services', () => {
  it.each<Settings>([
    {
      SLUICE_SERVICE_HOST: '10.96.0.7',
      SLUICE_SERVICE_PORT: '3000',
      SLUICE_SERVICE_PORT_HTTP: '3000',
      SLUICE_SERVICE_PORT_OPS_HTTP: '9464',
      SLUICE_PORT: 'tcp://10.96.0.7:3000',
      SLUICE_PORT_3000_TCP: 'tcp://10.96.0.7:3000',
      SLUICE_PORT_3000_TCP_PROTO: 'tcp',
      SLUICE_PORT_3000_TCP_PORT: '3000',
      SLUICE_PORT_3000_TCP_ADDR: '10.96.0.7',
    },
    {
      SLUICE_SERVICE_HOST: 'fd00::7',
      SLUICE_PORT: 'tcp://[fd00::7]:3000',
      SLUICE_PORT_3000_UDP: 'udp://[fd00::7]:3000',
      SLUICE_PORT_3000_UDP_ADDR: 'fd00::7',
    },
    { SLUICE_NODES_SERVICE_HOST: '10.96.0.8', SLUICE_NODES_PORT: 'tcp://10.96.0.8:3000' },
    // They look like slips of OPS_PORT and REDIS_URL, and are not.
    { OPS2_PORT: 'tcp://10.96.0.9:80', REDIS_PORT: 'tcp://10.96.0.9:6379' },
  ])('is passed over, by name and value: %#', (links) => {
    expect(readConfig(links)).toEqual(readConfig({}));
    expect(warningsOf(links)).toEqual([]);
  });

  it.each<[string, string]>([
    ['SLUICE_PORT', '3000'],
    ['SLUICE_PORT', 'tcp://sluice:3000'],
    ['SLUICE_PORT', 'tcp://10.96.0.7'],
    ['SLUICE_PORT', 'http://10.96.0.7:3000'],
    ['SLUICE_SERVICE_HOST', 'sluice.example'],
    ['SLUICE_SERVICE_PORT', '99999'],
    ['SLUICE_PORT_3000_TCP_PROTO', 'https'],
    ['SLUICE_HOST', '10.96.0.7'],
  ])('is not all that looks like it: %s=%s', (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${name} is no setting`)),
    ]);
  });

  it('is told of where it overwrites a setting', () => {
    const faults = faultsOf({ OPS_PORT: 'tcp://10.96.0.9:9464' });
    expect(faults).toEqual([
      'OPS_PORT must be a whole number from 0 to 65535; Kubernetes writes such a value for a Service of that name: set enableServiceLinks to false',
    ]);
  });
});

describe('names that may be those of other programs', () => {
  it.each([
    ['MAX_STREAM', 'MAX_STREAMS'],
    ['REDIS_URI', 'REDIS_URL'],
    ['JWK_URI', 'JWKS_URI'],
    ['JWSK_URI', 'JWKS_URI'],
    ['ALLOWED_ORIGIN', 'ALLOWED_ORIGINS'],
    ['JWT_SECRETS_FILE', 'JWT_SECRET_FILE'],
  ])('are worth a warning where one looks like a setting: %s', (name, meant) => {
    expect(faultsOf({ [name]: 's3cr3t' })).toEqual([]);
    expect(warningsOf({ [name]: 's3cr3t' })).toEqual([`${name} is no setting; is ${meant} meant?`]);
    expect(warningsOf({ [name]: '' })).toEqual([]);
  });

  it('are not told of where the setting is set too', () => {
    const others = [{ REDIS_URL: 'redis://127.0.0.1' }, { REDIS_URL_FILE: '/redis-url' }];
    for (const other of others) expect(warningsOf({ REDIS_URI: 'x', ...other })).toEqual([]);
  });

  it('are not told of where they look like nothing of ours', () => {
    const names =
      'PATH HOME HOSTNAME USER SHELL TERM LANG PWD TZ EDITOR NODE_ENV NODE_OPTIONS npm_config_cache REDIS_TLS_URL REDIS_HOST LOG_FORMAT PORTS TOKEN DATA_HOME XDG_DATA_DIRS KUBERNETES_PORT';
    const env = Object.fromEntries(names.split(' ').map((name) => [name, 'x']));
    expect(warningsOf(env)).toEqual([]);
  });

  it('are told of where no file is read', () => {
    expect(warningsOf({ AUTHZEN_URL_FILE: '/run/secrets/url' })).toEqual([
      'AUTHZEN_URL_FILE has no effect: AUTHZEN_URL is no secret, and is not read from a file',
    ]);
  });
});

describe('names that an application gives', () => {
  const faultsOfGiven = (settings: Settings): string => {
    try {
      readGivenConfig(settings);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('are settings, each of them', () => {
    expect(faultsOfGiven({ DATA_DIR: './data', MAX_STREAM: '5', colour: 'x' })).toBe(
      [
        'The configuration is not valid:',
        '  - MAX_STREAM is no setting; is MAX_STREAMS meant?',
        '  - colour is no setting (docs/configuration.md lists them all)',
      ].join('\n'),
    );
  });

  it('may be all of its environment, with settings of its own beside it', () => {
    expect(faultsOfGiven({ ...process.env, DATA_DIR: './data' })).toBe('');
    expect(faultsOfGiven({ ...process.env, PATH: 'other' })).toContain('PATH is no setting');
    expect(faultsOfGiven({ ...process.env, SLUICE_PORT: '1' })).toContain('SLUICE_PORT is no');
  });

  it('may be those of metrics without a port', () => {
    expect(faultsOfGiven({ METRICS_WORKSPACES: 'acme' })).toBe('');
  });

  it('have texts for values', () => {
    const settings = { PORT: 3_000, OPS_PORT: null } as unknown as Settings;
    expect(faultsOfGiven(settings)).toBe(
      'The configuration is not valid:\n  - PORT must be a text',
    );
  });
});
