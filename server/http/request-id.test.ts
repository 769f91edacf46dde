import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { rawRequest } from '../../test/support/raw-http.js';
import {
  EVENTS,
  listen,
  openTestService,
  type TestService,
} from '../../test/support/test-service.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

let service: TestService;
beforeAll(async () => {
  service = await openTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

describe('the name of a request', () => {
  it.each(['a', '01JD3Z8Q-42', 'trace.1_2', 'x'.repeat(42)])("is the caller's: %s", async (id) => {
    const { headers, body } = await request(service.app).get(EVENTS).set('X-Request-Id', id);
    expect(headers['x-request-id']).toBe(id);
    expect(body.requestId).toBe(id);
    expect(service.log.lines).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ requestId: id }) }),
    );
  });

  it.each(['', 'a b', '<script>', 'a"b', 'x'.repeat(43), 'ä', 'a,b'])(
    'is a new one in place of %j',
    async (id) => {
      await using server = await listen(service.app);
      const { headers, body } = await rawRequest({
        port: server.port,
        path: EVENTS,
        headers: [['X-Request-Id', id]],
      });
      expect(headers.get('x-request-id')?.[0]).toMatch(UUID);
      expect(JSON.parse(body).requestId).toBe(headers.get('x-request-id')?.[0]);
    },
  );

  it('is another one each time', async () => {
    const [one, other] = await Promise.all([1, 2].map(() => request(service.app).get(EVENTS)));
    expect(one?.headers['x-request-id']).toMatch(UUID);
    expect(one?.headers['x-request-id']).not.toBe(other?.headers['x-request-id']);
  });

  it('is told wherever the request goes', async () => {
    for (const path of ['/', '/realtime/nothing', '/oauth/token', '/.well-known/jwks.json']) {
      const { headers } = await request(service.app).get(path).set('X-Request-Id', 'mine');
      expect(headers['x-request-id']).toBe('mine');
    }
  });
});
