import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ConfigError, localUrl, readConfig } from './config.js';

type Settings = Readonly<Record<string, string | undefined>>;
const EXTERNAL = {
  JWKS_URI: 'https://idp.example/jwks.json',
  TOKEN_ISSUER: 'https://idp.example/',
  TOKEN_AUDIENCE: 'sluice',
};

function faultsOf(settings: Settings): readonly string[] {
  try {
    readConfig(settings);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe('the configuration', () => {
  it('stands without any setting', () => {
    expect(readConfig({})).toEqual({
      host: '127.0.0.1',
      port: 3_000,
      dataDir: resolve('./data'),
      logLevel: 'info',
      drainMs: 3_000,
      allowedOrigins: [],
      tokens: {
        issuer: 'urn:sluice:embedded',
        audience: 'sluice',
        algorithms: ['RS256', 'PS256', 'ES256', 'ES384'],
        workspaceClaim: 'workspace',
        clockToleranceSeconds: 5,
        maxLifetimeSeconds: 86_400,
      },
      jwksUri: null,
      issuerEnabled: true,
      issuerExposed: false,
      stream: {
        heartbeatMs: 15_000,
        retryMs: 2_000,
        maxBacklogBytes: 1_048_576,
        stallMs: 30_000,
        maxStreams: 100_000,
      },
      publish: { maxEventBytes: 65_536, maxBatch: 1_000, maxBodyBytes: 1_048_576 },
      retention: { maxAgeSeconds: 86_400, maxEvents: 100_000, maxBytes: 268_435_456 },
    });
  });

  it('takes what is set, without the white space around it', () => {
    const config = readConfig({
      ...EXTERNAL,
      HOST: '0.0.0.0',
      PORT: ' 8080 ',
      ALLOWED_ORIGINS: 'https://app.example, http://localhost:5173,',
      TOKEN_ALGORITHMS: 'ES256,RS256',
      WORKSPACE_CLAIM: 'https://app.example/tenant',
      CLOCK_TOLERANCE_SECONDS: '0',
    });
    expect(config).toMatchObject({
      host: '0.0.0.0',
      port: 8_080,
      allowedOrigins: ['https://app.example', 'http://localhost:5173'],
      jwksUri: 'https://idp.example/jwks.json',
      issuerEnabled: false,
      tokens: {
        issuer: 'https://idp.example/',
        algorithms: ['RS256', 'ES256'],
        workspaceClaim: 'https://app.example/tenant',
        clockToleranceSeconds: 0,
      },
    });
  });

  it('leaves the embedded issuer off beside a JWKS, unless it is asked for', () => {
    expect(readConfig(EXTERNAL)).toMatchObject({ issuerEnabled: false });
    expect(readConfig({ ...EXTERNAL, ISSUER_ENABLED: 'true' })).toMatchObject({
      issuerEnabled: true,
      jwksUri: EXTERNAL.JWKS_URI,
    });
  });

  it('takes an empty setting for one that is not there', () => {
    const empty = Object.fromEntries(
      ['HOST', 'PORT', 'JWKS_URI', 'ALLOWED_ORIGINS', 'ISSUER_ENABLED', 'TOKEN_ALGORITHMS'].map(
        (name) => [name, ' '],
      ),
    );
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  it('cannot be changed', () => {
    const config = readConfig({ ALLOWED_ORIGINS: 'https://app.example' });
    for (const part of [config, ...Object.values(config)]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(Object.isFrozen(config.tokens.algorithms)).toBe(true);
  });

  it('tells every fault at once, and repeats no value', () => {
    const settings = {
      HOST: '0.0.0.0',
      PORT: 's3cr3t',
      LOG_LEVEL: 's3cr3t',
      DRAIN_MS: '-s3cr3t',
      ALLOWED_ORIGINS: 's3cr3t',
      TOKEN_ALGORITHMS: 's3cr3t',
      WORKSPACE_CLAIM: 's3cr3t claim',
      CLOCK_TOLERANCE_SECONDS: 's3cr3t',
      ISSUER_EXPOSED: 's3cr3t',
      JWKS_URI: 'https://user:s3cr3t@idp.example/',
      MAX_BATCH: 's3cr3t',
      HEARTBEAT_MS: 's3cr3t',
      RETENTION_EVENTS: 's3cr3t',
    };
    const faults = faultsOf(settings);
    for (const name of Object.keys(settings)) {
      expect(faults).toContainEqual(expect.stringMatching(new RegExp(`^${name} `)));
    }
    expect(() => readConfig(settings)).toThrow(faults.map((fault) => `  - ${fault}`).join('\n'));
    expect(faults.join()).not.toContain('s3cr3t');
  });

  it.each<[string, string[]]>([
    ['PORT', ['-1', '65536', '80.5', '8e3', '0x50', '٣', '1_000', 'NaN', 'Infinity']],
    ['CLOCK_TOLERANCE_SECONDS', ['5s', '-5', '301', '1e2', '5.0']],
    ['HEARTBEAT_MS', ['99', '300001']],
    ['MAX_EVENT_BYTES', ['1023', '1048577', '9999999999999999999']],
    ['ISSUER_EXPOSED', ['yes', '1', 'TRUE']],
    ['LOG_LEVEL', ['verbose', 'INFO', 'constructor']],
    ['TOKEN_ALGORITHMS', ['none', 'HS256', 'RS256,HS256', 'RS256,RS256', 'rs256', ',']],
    ['WORKSPACE_CLAIM', ['constructor', 'toString', '1st', 'a b', 'a"b', 'a'.repeat(129)]],
    [
      'ALLOWED_ORIGINS',
      [
        '*',
        'null',
        'app.example',
        'https://app.example/',
        'https://app.example:443',
        'https://*.app.example/x',
      ],
    ],
  ])('refuses a %s that cannot stand', (name, values) => {
    for (const value of values) {
      expect(faultsOf({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
    }
  });

  it.each([
    'https://idp.example/jwks.json',
    'https://10.0.0.1/jwks',
    'http://localhost:8080/jwks',
    'http://127.0.0.1:8080/jwks',
    'http://127.9.9.9/jwks',
    'http://[::1]:8080/jwks',
  ])('reads keys from %s', (uri) => {
    expect(readConfig({ ...EXTERNAL, JWKS_URI: uri }).jwksUri).toBe(uri);
  });

  it.each([
    'http://idp.example/jwks',
    'http://10.0.0.1/jwks',
    'http://localhost.example/jwks',
    'http://127.0.0.1.example/jwks',
    'http://[::2]/jwks',
    'https://user@idp.example/',
    'https://idp.example/#keys',
    'ftp://localhost/jwks',
    'file:///etc/passwd',
    '/jwks.json',
    'idp.example',
  ])('does not read keys from %s', (uri) => {
    expect(faultsOf({ ...EXTERNAL, JWKS_URI: uri })).toEqual([
      expect.stringMatching(/^JWKS_URI must be an https URL/),
    ]);
  });

  it.each(['', ' ', undefined])(
    'wants issuer and audience with foreign keys: %j is none',
    (value) => {
      const { JWKS_URI } = EXTERNAL;
      expect(faultsOf({ JWKS_URI, TOKEN_ISSUER: value, TOKEN_AUDIENCE: value })).toEqual([
        'TOKEN_ISSUER must be set when JWKS_URI is set',
        'TOKEN_AUDIENCE must be set when JWKS_URI is set',
      ]);
    },
  );

  it.each<[string, Settings, string[]]>([
    ['no issuer', { ISSUER_ENABLED: 'false' }, ['ISSUER_ENABLED', 'JWKS_URI']],
    [
      'the embedded issuer on a network',
      { HOST: '0.0.0.0' },
      ['HOST', 'ISSUER_EXPOSED', 'JWKS_URI'],
    ],
    ['the embedded issuer on a name', { HOST: 'localhost.example' }, ['HOST', 'ISSUER_EXPOSED']],
  ])('names the settings of a conflict: %s', (_, settings, names) => {
    const faults = faultsOf(settings);
    expect(faults).toHaveLength(1);
    for (const name of names) expect(faults[0]).toContain(name);
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'sluice.example'])(
    'lets the embedded issuer be reached at %s where that is said',
    (host) => {
      expect(readConfig({ HOST: host, ISSUER_EXPOSED: 'true' })).toMatchObject({
        host,
        issuerExposed: true,
      });
      expect(readConfig({ ...EXTERNAL, HOST: host })).toMatchObject({ issuerEnabled: false });
    },
  );

  it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])(
    'runs the embedded issuer at %s',
    (host) => {
      expect(readConfig({ HOST: host })).toMatchObject({ host, issuerEnabled: true });
    },
  );
});

describe('the local address', () => {
  it('is a URL for both kinds of addresses', () => {
    expect(localUrl('127.0.0.1', 80)).toBe('http://127.0.0.1:80');
    expect(localUrl('::1', 80)).toBe('http://[::1]:80');
    expect(localUrl('localhost', 80)).toBe('http://localhost:80');
  });
});
