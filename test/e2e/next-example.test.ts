import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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
    process.env['DATA_DIR'] = service.dataDir;
  });
  afterAll(async () => {
    delete process.env['DATA_DIR'];
    await service[Symbol.asyncDispose]();
  });

  it('gives a client the token that it subscribes with', async () => {
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
      expect(seen.connected).toMatchObject([{ subject: 'alice' }]);
    } finally {
      client.close();
    }
  });

  it('gives nobody a token for a workspace that is not theirs', async () => {
    expect(await realtimeToken({ ...REQUEST, workspace: 'other' })).toBeNull();
  });
});
