import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Router } from 'express';
import { rawRequest } from '../test/support/raw-http.js';
import { createService } from './app.js';
import { silentLog } from './ops/log.js';

describe('a server of its own', () => {
  it('makes requests and responses that Express need not change', async () => {
    const routes = Router().get('/', (_request, response) => void response.end());
    const server = createService({}, routes, { trustedProxies: [] }, silentLog);
    const prototypes: object[] = [];
    const note = (...both: object[]) => prototypes.push(...both.map(Object.getPrototypeOf));
    server.prependListener('request', note);
    server.on('request', (request: IncomingMessage, response) => note(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const { status } = await rawRequest({ port, method: 'GET', path: '/' });
      expect(status).toBe(200);
      const [request, response] = prototypes;
      expect(prototypes[2]).toBe(request);
      expect(prototypes[3]).toBe(response);
      expect(request).toHaveProperty('app');
    } finally {
      server.close();
    }
  });
});
