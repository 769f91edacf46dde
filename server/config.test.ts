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
      logsAddresses: false,
      drainMs: 3_000,
      ops: null,
      metricsWorkspaces: [],
      redis: null,
      allowedOrigins: [],
      trustedProxies: [],
      tokens: {
        trustedIssuers: [
          { issuer: 'urn:sluice:embedded', audience: 'sluice', keys: { kind: 'embedded' } },
        ],
        algorithms: ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'],
        requiresAccessTokenType: false,
        workspaceClaim: 'workspace',
        clockToleranceSeconds: 5,
        maxLifetimeSeconds: 86_400,
      },
      queryTokens: { areAccepted: true, maxLifetimeSeconds: null },
      issuer: {
        issuer: 'urn:sluice:embedded',
        audience: 'sluice',
        isExposed: false,
        keySecret: null,
      },
      permissions: { kind: 'claims' },
      recheck: { intervalMs: 60_000, graceMs: 300_000 },
      admission: {
        maxStreams: 100_000,
        maxStreamsPerSubject: 100,
        maxStreamsPerWorkspace: 50_000,
        maxStreamsPerAddress: 5_000,
        maxFailedAttemptsPerMinute: 120,
        maxOpensPerSecond: 1_000,
      },
      auditLog: 'stderr',
      stream: {
        heartbeatMs: 15_000,
        retryMs: 2_000,
        maxBacklogBytes: 1_048_576,
        stallMs: 30_000,
      },
      publish: { maxEventBytes: 65_536, maxBatch: 1_000, maxBodyBytes: 1_048_576 },
      retention: {
        default: { maxAgeSeconds: 86_400, maxEvents: 100_000, maxBytes: 268_435_456 },
        workspaces: [],
      },
    });
  });

  it('drains longer where there may be other nodes', () => {
    expect(readConfig({ REDIS_URL: 'redis://127.0.0.1' }).drainMs).toBe(10_000);
    expect(readConfig({ REDIS_URL: 'redis://127.0.0.1', DRAIN_MS: '0' }).drainMs).toBe(0);
  });

  it('opens a port for operators only where one is named, and never the public one', () => {
    expect(readConfig({}).ops).toBeNull();
    expect(readConfig({ OPS_PORT: '9464' }).ops).toEqual({ host: '127.0.0.1', port: 9_464 });
    expect(readConfig({ OPS_PORT: '0', PORT: '0' }).ops).toEqual({ host: '127.0.0.1', port: 0 });
    expect(faultsOf({ OPS_PORT: '8080', PORT: '8080' })).toEqual([
      expect.stringContaining('OPS_PORT is PORT'),
    ]);
    expect(faultsOf({ OPS_PORT: '3000' })).toHaveLength(1);
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
      issuer: null,
      tokens: {
        trustedIssuers: [
          {
            issuer: 'https://idp.example/',
            audience: 'sluice',
            keys: { kind: 'jwks', uri: 'https://idp.example/jwks.json' },
          },
        ],
        algorithms: ['RS256', 'ES256'],
        workspaceClaim: 'https://app.example/tenant',
        clockToleranceSeconds: 0,
      },
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
      MAX_STREAMS_PER_SUBJECT: 's3cr3t',
      QUERY_TOKEN_MAX_LIFETIME_SECONDS: 's3cr3t',
      TRUST_PROXY: 's3cr3t',
      AUTHZEN_URL: 'https://s3cr3t@iam.example/',
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
    ['TOKEN_TYPE', ['at', 'JWT']],
    ['MAX_STREAMS_PER_SUBJECT', ['0', '-1', '1000001', 'None']],
    ['QUERY_TOKEN_MAX_LIFETIME_SECONDS', ['0', 'none']],
    [
      'TRUST_PROXY',
      ['true', '10', '-1', '0.0.0.0/0', '::/0', '10.0.0.0/33', 'proxy.example', '1,2'],
    ],
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
    const { tokens } = readConfig({ ...EXTERNAL, JWKS_URI: uri });
    expect(tokens.trustedIssuers[0]?.keys).toEqual({ kind: 'jwks', uri });
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
      ['HOST', 'ISSUER_EXPOSED', 'TOKEN_ISSUER'],
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
        issuer: { isExposed: true },
      });
      expect(readConfig({ ...EXTERNAL, HOST: host })).toMatchObject({ host, issuer: null });
    },
  );

  it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])(
    'runs the embedded issuer at %s',
    (host) => {
      expect(readConfig({ HOST: host })).toMatchObject({ host, issuer: { isExposed: false } });
    },
  );
});

describe('the issuers that are trusted', () => {
  const trusted = (settings: Settings) => readConfig(settings).tokens.trustedIssuers;
  const EMBEDDED_BESIDE = {
    issuer: 'urn:sluice:embedded',
    audience: 'sluice',
    keys: { kind: 'embedded' },
  };
  const SECRET = 'Hq3u0mT9vX2pL7cR5wZ8bN4kJ6fD1sYa';
  const shared = (secret: string) => ({
    JWT_SECRET: secret,
    TOKEN_ISSUER: 'my-app',
    TOKEN_AUDIENCE: 'sluice',
  });

  it('are the embedded one alone, under the name it is given', () => {
    expect(trusted({ TOKEN_ISSUER: 'urn:mine', TOKEN_AUDIENCE: 'events' })).toEqual([
      { issuer: 'urn:mine', audience: 'events', keys: { kind: 'embedded' } },
    ]);
    expect(trusted({ TOKEN_ISSUER: 'https://sluice.example', ISSUER_ENABLED: 'true' })).toEqual([
      { issuer: 'https://sluice.example', audience: 'sluice', keys: { kind: 'embedded' } },
    ]);
  });

  it('can be asked for their keys where the issuer alone is named', () => {
    const { JWKS_URI: _, ...named } = EXTERNAL;
    expect(trusted(named)).toEqual([
      { issuer: 'https://idp.example/', audience: 'sluice', keys: { kind: 'discovery' } },
    ]);
    expect(faultsOf({ TOKEN_ISSUER: 'https://idp.example/' })).toEqual([
      'TOKEN_AUDIENCE must be set when TOKEN_ISSUER is an address',
    ]);
    for (const TOKEN_ISSUER of ['http://idp.example/', 'https://idp.example/?tenant=1']) {
      expect(faultsOf({ ...named, TOKEN_ISSUER })).toEqual([
        expect.stringContaining('TOKEN_ISSUER must be an https URL'),
      ]);
    }
  });

  it('keep the embedded one apart, which has a name of its own beside others', () => {
    expect(readConfig(EXTERNAL).issuer).toBeNull();
    const beside = readConfig({ ...EXTERNAL, ISSUER_ENABLED: 'true' });
    expect(beside.tokens.trustedIssuers).toHaveLength(2);
    expect(beside.tokens.trustedIssuers[1]).toEqual(EMBEDDED_BESIDE);
    expect(beside.issuer).toMatchObject({ issuer: 'urn:sluice:embedded' });
  });

  it('can share a secret with whoever makes the tokens', () => {
    const config = readConfig(shared(SECRET));
    expect(config.issuer).toBeNull();
    expect(config.tokens.trustedIssuers).toEqual([
      { issuer: 'my-app', audience: 'sluice', keys: { kind: 'secret', secret: SECRET } },
    ]);
  });

  it.each([
    'short',
    SECRET.slice(0, 31),
    'a'.repeat(64),
    'password'.repeat(8),
    'secret'.repeat(700),
    '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END',
    '{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri","e":"AQAB"}',
    'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7',
  ])('do not share a secret that is weak or no secret: %j', (secret) => {
    const faults = faultsOf(shared(secret));
    expect(faults).toEqual([expect.stringMatching(/^JWT_SECRET /)]);
    expect(faults.join()).not.toContain(secret);
  });

  it('are encrypted with a secret where nodes share the keys of the embedded one', () => {
    const settings = { REDIS_URL: 'redis://127.0.0.1', ISSUER_KEY_SECRET: SECRET };
    expect(readConfig(settings).issuer).toMatchObject({ keySecret: SECRET });
    expect(faultsOf({ ...settings, ISSUER_KEY_SECRET: 'a'.repeat(64) })).toEqual([
      expect.stringMatching(/^ISSUER_KEY_SECRET must be 32 to 4096 bytes/),
    ]);
    expect(faultsOf({ ISSUER_KEY_SECRET: SECRET })).toEqual([
      'ISSUER_KEY_SECRET is set without REDIS_URL: files are not encrypted by it',
    ]);
  });

  it.each<[string, Settings, RegExp]>([
    [
      'a secret beside JWKS_URI',
      { ...EXTERNAL, JWT_SECRET: SECRET },
      /^JWT_SECRET is set beside JWKS_URI/,
    ],
    [
      'a secret and the embedded issuer',
      { ...shared(SECRET), ISSUER_ENABLED: 'true' },
      /^ISSUER_ENABLED .*JWT_SECRET/,
    ],
    [
      'a secret without an issuer',
      { JWT_SECRET: SECRET, TOKEN_AUDIENCE: 'a' },
      /^TOKEN_ISSUER must be set/,
    ],
    [
      'a list beside JWKS_URI',
      {
        TOKEN_ISSUERS: '[{"issuer":"https://a.example","audience":"a"}]',
        JWKS_URI: EXTERNAL.JWKS_URI,
      },
      /^JWKS_URI is set beside TOKEN_ISSUERS/,
    ],
    [
      'a list that is none',
      { TOKEN_ISSUERS: '{"issuer":"https://a.example"}' },
      /^TOKEN_ISSUERS must be a JSON list/,
    ],
    ['an empty list', { TOKEN_ISSUERS: '[]' }, /^TOKEN_ISSUERS must be a JSON list/],
    [
      'no audience',
      { TOKEN_ISSUERS: '[{"issuer":"https://a.example"}]' },
      /^TOKEN_ISSUERS: entry 1/,
    ],
    [
      'plain http',
      { TOKEN_ISSUERS: '[{"issuer":"a","audience":"a","jwksUri":"http://a.example/"}]' },
      /^TOKEN_ISSUERS: entry 1/,
    ],
    [
      'a name without an address',
      { TOKEN_ISSUERS: '[{"issuer":"a","audience":"a"}]' },
      /^TOKEN_ISSUERS: entry 1/,
    ],
    [
      'a member that is not known',
      { TOKEN_ISSUERS: '[{"issuer":"https://a.example","audience":"a","jwks":"x"}]' },
      /^TOKEN_ISSUERS: entry 1/,
    ],
    [
      'one issuer twice',
      {
        TOKEN_ISSUERS:
          '[{"issuer":"https://a.example","audience":"a"},{"issuer":"https://a.example","audience":"b"}]',
      },
      /^TOKEN_ISSUERS names an issuer twice/,
    ],
    [
      'the name of the embedded one',
      { ...EXTERNAL, TOKEN_ISSUER: 'urn:sluice:embedded', ISSUER_ENABLED: 'true' },
      /^TOKEN_ISSUER names the embedded issuer/,
    ],
    ['a token for no decision point', { AUTHZEN_TOKEN: 'abc' }, /^AUTHZEN_TOKEN is set without/],
    [
      'a policy file beside AuthZEN',
      { AUTHZEN_URL: 'https://iam.example', POLICY_FILE: 'p.csv' },
      /^POLICY_FILE is set beside AUTHZEN_URL/,
    ],
  ])('are refused with %s', (_, settings, fault) => {
    expect(faultsOf(settings)).toEqual([expect.stringMatching(fault)]);
  });

  it('can be several, each with keys and audience of its own', () => {
    const TOKEN_ISSUERS = JSON.stringify([
      { issuer: 'https://a.example', audience: 'a', jwksUri: 'https://keys.example/a' },
      { issuer: 'https://b.example', audience: 'b' },
    ]);
    const issuers = [
      {
        issuer: 'https://a.example',
        audience: 'a',
        keys: { kind: 'jwks', uri: 'https://keys.example/a' },
      },
      { issuer: 'https://b.example', audience: 'b', keys: { kind: 'discovery' } },
    ];
    expect(trusted({ TOKEN_ISSUERS })).toEqual(issuers);
    expect(trusted({ TOKEN_ISSUERS, ISSUER_ENABLED: 'true' })).toEqual([
      ...issuers,
      EMBEDDED_BESIDE,
    ]);
  });
});

describe('who decides', () => {
  it('is the token, a decision point, or a policy file', () => {
    expect(readConfig({ POLICY_FILE: 'policy.csv' }).permissions).toEqual({
      kind: 'policy-file',
      path: resolve('policy.csv'),
    });
    const authzen = { AUTHZEN_URL: 'https://iam.example', AUTHZEN_TOKEN: 'abc' };
    expect(readConfig(authzen).permissions).toEqual({
      kind: 'authzen',
      url: 'https://iam.example/',
      token: 'abc',
      deadlineMs: 2_000,
      cacheMs: 10_000,
    });
  });
});

describe('the limits', () => {
  it('can be taken away, but for the one of the node', () => {
    expect(
      readConfig({ MAX_STREAMS_PER_ADDRESS: 'none' }).admission.maxStreamsPerAddress,
    ).toBeNull();
    expect(faultsOf({ MAX_STREAMS: 'none' })).toHaveLength(1);
  });
});

describe('the proxies that are trusted', () => {
  it.each<[string, number | string[]]>([
    ['0', 0],
    ['1', 1],
    ['loopback, 10.0.0.0/8', ['loopback', '10.0.0.0/8']],
    ['192.0.2.7,2001:db8::/32', ['192.0.2.7', '2001:db8::/32']],
  ])('can be %s', (text, expected) => {
    expect(readConfig({ TRUST_PROXY: text }).trustedProxies).toEqual(expected);
  });
});

describe('the local address', () => {
  it('is a URL for both kinds of addresses', () => {
    expect(localUrl('127.0.0.1', 80)).toBe('http://127.0.0.1:80');
    expect(localUrl('::1', 80)).toBe('http://[::1]:80');
    expect(localUrl('localhost', 80)).toBe('http://localhost:80');
  });
});
