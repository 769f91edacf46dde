import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type AuthActionRequest, RealtimeClient } from '@sluice/sdk';
import { publish } from '../support/playground.js';
import { Service } from '../support/service.js';
import { addServiceAccount, tokenOfAccount } from '../support/service-account.js';
import { SubscriptionRecorder } from '../support/subscription-recorder.js';

const ACCOUNT = 'web';
// By its path: it is written for the way in which Next.js resolves names, and has a tsconfig of its own.
const { realtimeToken } = (await import(
  join(import.meta.dirname, '../../examples/next/app/realtime-token.ts')
)) as {
  realtimeToken(request: AuthActionRequest): Promise<{ readonly token: string } | null>;
};
const REQUEST = { workspace: 'acme', reason: 'initial', attempt: 1 } as const;

describe('the server action of the example for Next.js', () => {
  let service: Service;
  let secret: string;

  beforeAll(async () => {
    service = await Service.start();
    secret = await addServiceAccount(ACCOUNT, service);
  });
  afterEach(() => {
    for (const name of ['URL', 'CLIENT_ID', 'CLIENT_SECRET']) delete process.env[`SLUICE_${name}`];
  });
  afterAll(() => service[Symbol.asyncDispose]());

  function configure(clientSecret: string): void {
    Object.assign(process.env, {
      SLUICE_URL: service.url,
      SLUICE_CLIENT_ID: ACCOUNT,
      SLUICE_CLIENT_SECRET: clientSecret,
    });
  }

  it('gives a client the token that it subscribes with', async () => {
    configure(secret);
    const seen = new SubscriptionRecorder();
    const client = new RealtimeClient({
      endpoint: service.url,
      workspace: 'acme',
      authAction: async (request) => {
        const answer = await realtimeToken(request);
        if (answer === null) throw new Error('nobody is signed in');
        return answer;
      },
    });
    try {
      await client.subscribe(seen).ready;
      const { token } = await tokenOfAccount(ACCOUNT, secret, service);
      await publish(service.url, token, [{ topic: 'orders', type: 'order.created' }]);
      await seen.until(({ events }) => events.length === 1);
      expect(seen.events).toMatchObject([{ type: 'order.created' }]);
    } finally {
      client.close();
    }
  });

  it('gives nobody a token for a workspace that is not theirs', async () => {
    configure(secret);
    expect(await realtimeToken({ ...REQUEST, workspace: 'other' })).toBeNull();
  });

  it('fails without telling why where the account is not taken', async () => {
    configure('wrong');
    await expect(realtimeToken(REQUEST)).rejects.toThrow(/^the service gave no token: 401$/);
  });
});
