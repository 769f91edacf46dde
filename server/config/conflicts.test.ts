import { describe, expect, it } from '@jest/globals';
import { inspectConfig } from '../config.js';

type Settings = Readonly<Record<string, string>>;
const PROVIDER = { TOKEN_ISSUER: 'https://idp.example/', TOKEN_AUDIENCE: 'sluice' };
const SECRET = 'Hq3u0mT9vX2pL7cR5wZ8bN4kJ6fD1sYa';
const SHARED = { JWT_SECRET: SECRET, TOKEN_ISSUER: 'my-app', TOKEN_AUDIENCE: 'sluice' };
const ISSUERS = { TOKEN_ISSUERS: '[{"issuer":"https://a.example","audience":"a"}]' };
const REDIS = { REDIS_URL: 'redis://127.0.0.1' };

describe('a setting that would have no effect', () => {
  it.each<[Settings, string]>([
    [{ OPS_HOST: '0.0.0.0' }, 'OPS_HOST is set without OPS_PORT'],
    [
      { METRICS_WORKSPACES: 'acme' },
      'METRICS_WORKSPACES is set without OPS_PORT: there would be no metrics',
    ],
    [{ AUTHZEN_TOKEN: 'abc' }, 'AUTHZEN_TOKEN is set without AUTHZEN_URL'],
    [{ AUTHZEN_DEADLINE_MS: '10' }, 'AUTHZEN_DEADLINE_MS is set without AUTHZEN_URL'],
    [{ AUTHZEN_CACHE_MS: '0', POLICY_FILE: 'p' }, 'AUTHZEN_CACHE_MS is set without AUTHZEN_URL'],
    [
      { QUERY_TOKENS: 'false', QUERY_TOKEN_MAX_LIFETIME_SECONDS: '60' },
      'QUERY_TOKEN_MAX_LIFETIME_SECONDS is set while QUERY_TOKENS is false: no such token is accepted',
    ],
    [
      { ...PROVIDER, ISSUER_EXPOSED: 'true' },
      'ISSUER_EXPOSED is for the embedded issuer, which does not run since TOKEN_ISSUER is set: set ISSUER_ENABLED=true if it shall run',
    ],
    [
      { ...SHARED, ISSUER_EXPOSED: 'true' },
      'ISSUER_EXPOSED is for the embedded issuer, which does not run since JWT_SECRET is set: set ISSUER_ENABLED=true if it shall run',
    ],
    [
      { ...PROVIDER, ...REDIS, ISSUER_ENABLED: 'false', ISSUER_KEY_SECRET: SECRET },
      'ISSUER_KEY_SECRET is for the embedded issuer, which does not run since ISSUER_ENABLED is false',
    ],
    [
      { ...ISSUERS, TOKEN_AUDIENCE: 'b' },
      'TOKEN_AUDIENCE is set beside TOKEN_ISSUERS: name the audience of each issuer there',
    ],
    [
      { ...SHARED, TOKEN_ALGORITHMS: 'RS256' },
      'TOKEN_ALGORITHMS is set beside JWT_SECRET: such tokens are HS256, and no other',
    ],
  ])('is refused, with the name of the other: %j', (settings, fault) => {
    expect(inspectConfig(settings).faults).toEqual([fault]);
  });

  it.each<Settings>([
    { OPS_HOST: '0.0.0.0', OPS_PORT: '9464', METRICS_WORKSPACES: 'acme,beta' },
    { AUTHZEN_URL: 'https://iam.example', AUTHZEN_CACHE_MS: '0', RECHECK_GRACE_MS: '0' },
    { QUERY_TOKEN_MAX_LIFETIME_SECONDS: '60' },
    { ...PROVIDER, ISSUER_ENABLED: 'true', ISSUER_EXPOSED: 'true' },
    { ...ISSUERS, ISSUER_ENABLED: 'true', TOKEN_AUDIENCE: 'b' },
    { ...PROVIDER, TOKEN_ALGORITHMS: 'RS256' },
    { ...REDIS, ISSUER_KEY_SECRET: SECRET },
  ])('is nothing to tell of where it has one: %j', (settings) => {
    expect(inspectConfig(settings)).toMatchObject({ faults: [], warnings: [] });
  });

  it('is nothing to tell of at its default', () => {
    const settings = { OPS_HOST: '127.0.0.1', AUTHZEN_CACHE_MS: '10000', REDIS_PREFIX: 'sluice' };
    expect(inspectConfig(settings)).toMatchObject({ faults: [], warnings: [] });
  });

  it.each<[Settings, string]>([
    [
      { MAX_STREAMS: '10', MAX_STREAMS_PER_SUBJECT: '11' },
      'MAX_STREAMS_PER_SUBJECT is above MAX_STREAMS, and so has no effect',
    ],
    [
      { QUERY_TOKEN_MAX_LIFETIME_SECONDS: '86401' },
      'QUERY_TOKEN_MAX_LIFETIME_SECONDS is above TOKEN_MAX_LIFETIME_SECONDS, and so has no effect',
    ],
    [
      { RECHECK_INTERVAL_MS: '1000' },
      'RECHECK_INTERVAL_MS is set without AUTHZEN_URL or POLICY_FILE: what a token itself permits does not change',
    ],
  ])('is worth a warning where it does no harm: %j', (settings, warning) => {
    expect(inspectConfig(settings)).toMatchObject({ faults: [], warnings: [warning] });
  });

  it('is not told of where the setting itself cannot stand', () => {
    expect(inspectConfig({ OPS_HOST: 'a b' }).faults).toEqual([
      'OPS_HOST must be a name or an IP address',
    ]);
  });
});

describe('what is shown of settings', () => {
  const shownOf = (settings: Settings, name: string) =>
    inspectConfig(settings).settings.find((setting) => setting.name === name);

  it('is what counts, and where it comes from', () => {
    expect(shownOf({ PORT: ' 80 ' }, 'PORT')).toMatchObject({ source: 'environment', value: '80' });
    expect(shownOf(REDIS, 'DRAIN_MS')).toMatchObject({ source: 'default', value: '10000' });
    expect(shownOf(SHARED, 'ISSUER_ENABLED')).toMatchObject({ source: 'default', value: 'false' });
    expect(shownOf({}, 'TOKEN_ISSUER')).toMatchObject({ value: 'urn:sluice:embedded' });
    expect(shownOf(ISSUERS, 'TOKEN_ISSUER')).toMatchObject({ source: 'default', value: '' });
  });

  it('is no secret, no key in an address, and nothing that cannot stand', () => {
    const settings = {
      ...SHARED,
      REDIS_URL: 'redis://app:hunter2@h',
      AUTHZEN_URL: 'https://iam.example/pdp?key=hunter2',
      AUTHZEN_TOKEN: 'hunter2',
      POLICY_FILE: 'hunter2',
      PORT: 'hunter2',
      HOST: 'hunter 2',
      JWKS_URI: 'https://app:hunter2@idp.example/',
    };
    const { settings: shown, faults } = inspectConfig(settings);
    expect(faults.length).toBeGreaterThan(3);
    expect(JSON.stringify({ shown, faults })).not.toMatch(/hunter|Hq3u0/);
    expect(shownOf({ AUTHZEN_URL: settings.AUTHZEN_URL }, 'AUTHZEN_URL')?.value).toBe(
      'https://iam.example/pdp?…',
    );
  });
});
