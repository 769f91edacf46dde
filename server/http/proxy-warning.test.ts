import { describe, expect, it } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { RecordedLog } from '../../test/support/test-service.js';
import { createProxyWarning } from './proxy-warning.js';

/** An application with a `trust proxy` setting of its own, or Express's. */
function appWith(trusted: unknown) {
  const log = new RecordedLog();
  const app = express();
  if (trusted !== undefined) app.set('trust proxy', trusted);
  app.use(createProxyWarning(log), (_request, response) => {
    response.end();
  });
  return { app, log };
}

describe('requests that came through a proxy', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['false', false],
    ['no hops', 0],
    ['no addresses', []],
  ])('are told of once where what is trusted is %s', async (_, trusted) => {
    const { app, log } = appWith(trusted);
    for (let time = 0; time < 3; time++) {
      await request(app).get('/').set('X-Forwarded-For', '198.51.100.7').expect(200);
    }
    expect(log.lines).toEqual([
      {
        level: 'warn',
        fields: {},
        message: 'requests carry X-Forwarded-For, but no proxy is trusted: see TRUST_PROXY',
      },
    ]);
  });

  it.each<[string, unknown]>([
    ['one hop', 1],
    ['loopback', ['loopback']],
    ['everybody', true],
    ['what a function says', () => false],
  ])('are not told of where what is trusted is %s', async (_, trusted) => {
    const { app, log } = appWith(trusted);
    await request(app).get('/').set('X-Forwarded-For', '198.51.100.7').expect(200);
    expect(log.lines).toEqual([]);
  });

  it('are not told of where there is none', async () => {
    const { app, log } = appWith(undefined);
    await request(app).get('/').expect(200);
    expect(log.lines).toEqual([]);
  });
});
