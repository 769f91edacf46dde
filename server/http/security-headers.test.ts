import { describe, expect, it } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import helmet from 'helmet';
import { rawRequest } from '../../test/support/raw-http.js';
import { listen } from '../../test/support/test-service.js';
import { createSecurityHeaders } from './security-headers.js';

async function headersBy(handler: RequestHandler) {
  const app = express().use(handler, (_request, response) => response.end());
  app.disable('x-powered-by');
  await using server = await listen(app);
  const request = { port: server.port, method: 'GET', path: '/', headers: [] };
  const headers = new Map((await rawRequest(request)).headers);
  headers.delete('date');
  return headers;
}

describe('the security headers', () => {
  it('are those of helmet', async () => {
    const own = await headersBy(createSecurityHeaders());
    expect(own.get('content-security-policy')).toHaveLength(1);
    expect(own).toEqual(await headersBy(helmet()));
  });
});
