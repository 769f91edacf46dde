import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '@sluice/protocol';
import { EVENTS, expectRefusal, inHeader } from '../support/bad-input-table.js';
import { OpenIdProvider } from '../support/openid-provider.js';
import { RawStream } from '../support/raw-http.js';
import { Service } from '../support/service.js';
import type { SigningAlgorithm } from '../support/tokens.js';

// The gate behind a real OpenID provider, of which it is told nothing but the issuer.

const AUDIENCE = 'urn:sluice:test';
const ALGORITHMS: readonly SigningAlgorithm[] = ['RS256', 'PS256', 'ES256', 'EdDSA'];

let provider: OpenIdProvider;
let service: Service;

beforeAll(async () => {
  provider = await OpenIdProvider.start({
    algorithms: ALGORITHMS,
    audience: AUDIENCE,
    claims: { workspace: 'acme', permissions: ['realtime:subscribe'] },
  });
  service = await Service.start({
    env: {
      TOKEN_ISSUER: provider.issuer,
      TOKEN_AUDIENCE: AUDIENCE,
      TOKEN_TYPE: 'at+jwt',
      MAX_FAILED_ATTEMPTS_PER_MINUTE: 'none',
    },
  });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

const requestOf = (token: string) => ({ port: service.port, path: EVENTS, ...inHeader(token) });

async function outcomeOf(token: string): Promise<string> {
  const path = `${EVENTS}?errors=stream`;
  using stream = await RawStream.open({ port: service.port, path, ...inHeader(token) });
  const { event, data } = await stream.next();
  return event === 'stream.error' ? (data as Problem).code : 'entered';
}

describe('the access tokens of an OpenID provider', () => {
  it.each(ALGORITHMS)('signed by %s are taken', async (algorithm) => {
    const token = await provider.token(algorithm);
    using stream = await RawStream.open(requestOf(token));
    expect((await stream.head).status).toBe(200);
    expect(await stream.next()).toMatchObject({
      event: 'stream.connected',
      data: { workspace: 'acme', subject: algorithm },
    });
  });

  it('for another audience are refused', async () => {
    const token = await provider.token('ES256', 'urn:somebody:else');
    await expectRefusal(requestOf(token), 'INVALID_TOKEN');
  });

  it('for another workspace are refused there', async () => {
    const token = await provider.token('ES256');
    const path = '/realtime/workspace/other/events';
    await expectRefusal({ ...requestOf(token), path }, 'WORKSPACE_MISMATCH');
  });

  // The last one: behind it the keys are others.
  it('are taken by the new key alone when the keys were rotated', async () => {
    const old = await provider.token('ES256');
    expect(await outcomeOf(old)).toBe('entered');
    await provider.rotate();
    const fresh = await provider.token('ES256');
    const outcomes = [await outcomeOf(fresh)];
    const giveUpAt = performance.now() + 25_000;
    while (outcomes.at(-1) !== 'entered' && performance.now() < giveUpAt) {
      // The keys are read anew when the cool-down is over: until then the answer is to come back.
      await new Promise((resolve) => setTimeout(resolve, 250));
      outcomes.push(await outcomeOf(fresh));
    }
    expect(outcomes.at(-1)).toBe('entered');
    expect(outcomes.slice(0, -1).filter((code) => code !== 'AUTH_ERROR')).toEqual([]);
    expect(await outcomeOf(old)).not.toBe('entered');
  }, 40_000);
});
