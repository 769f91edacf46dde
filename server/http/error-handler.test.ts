import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Router } from 'express';
import request from 'supertest';
import { rawRequest } from '../../test/support/raw-http.js';
import {
  listen,
  openTestService,
  RecordedLog,
  type TestService,
} from '../../test/support/test-service.js';
import { createApp } from '../app.js';
import { SluiceError } from '../errors.js';
import { toSluiceError } from './error-handler.js';
import { nameRequest } from './request-id.js';

let service: TestService;
beforeAll(async () => {
  service = await openTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

/** The application with a route that fails. */
function failingApp(fail: () => unknown) {
  const log = new RecordedLog();
  const routes = Router();
  routes.use(nameRequest);
  routes.get('/fails', fail);
  return { app: createApp(routes, { trustedProxies: [] }, log), log };
}

describe('an address where nothing is', () => {
  it.each([
    '/',
    '/realtime',
    '/realtime/workspace/acme',
    '/realtime/workspace/acme/events/',
    '/Realtime/workspace/acme/events',
    '/oauth/token/',
    '/favicon.ico',
    '/%00',
  ])('is answered with a problem: %s', async (path) => {
    const { status, headers, body } = await request(service.app).get(path);
    expect(status).toBe(404);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(body).toEqual({
      type: 'urn:sluice:error:NOT_FOUND',
      title: 'There is nothing at this address',
      status: 404,
      code: 'NOT_FOUND',
      recoverable: false,
      requestId: headers['x-request-id'],
    });
  });

  it('is answered without a page where it cannot be decoded', async () => {
    await using server = await listen(service.app);
    for (const path of ['/realtime/workspace/%zz/events', '/realtime/workspace/%c0%af/events']) {
      const { status, body } = await rawRequest({ port: server.port, path });
      expect(status).toBe(400);
      expect(JSON.parse(body)).toMatchObject({ code: 'INVALID_REQUEST' });
    }
  });
});

describe('a failure of the service', () => {
  const words = 'ENOENT: /srv/data/keys.json at db.internal';

  it.each<[string, () => unknown]>([
    [
      'thrown',
      () => {
        throw new TypeError(words);
      },
    ],
    ['rejected', () => Promise.reject(new Error(words))],
    [
      'that is no error',
      () => {
        throw words;
      },
    ],
    [
      'with a status of its own',
      () => {
        throw Object.assign(new Error(words), { status: 200, expose: true, body: words });
      },
    ],
  ])('%s is answered 500 without a word of it', async (_, fail) => {
    const { app } = failingApp(fail);
    const { status, text, body, headers } = await request(app).get('/fails');
    expect(status).toBe(500);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(body).toMatchObject({ code: 'INTERNAL_ERROR', title: 'The service failed' });
    expect(body.requestId).toBe(headers['x-request-id']);
    expect(body).not.toHaveProperty('detail');
    expect(text).not.toMatch(/internal|keys\.json|Error:|node_modules/);
  });

  it('is told to the log with its stack, and without its other members', async () => {
    const { app, log } = failingApp(() => {
      throw Object.assign(new Error('no space'), { body: 's3cr3t', token: 's3cr3t' });
    });
    await request(app).get('/fails');
    expect(log.lines).toMatchObject([
      {
        level: 'error',
        message: 'request failed',
        fields: { code: 'INTERNAL_ERROR', cause: { message: 'no space' } },
      },
    ]);
    const told = JSON.stringify(log.lines);
    expect(told).toContain('error-handler.test');
    expect(told).not.toContain('s3cr3t');
  });

  it('is the end of an answer that has begun', async () => {
    const log = new RecordedLog();
    const routes = Router();
    routes.get('/fails', (_, response) => {
      response.write('half');
      throw new Error(words);
    });
    await expect(
      request(createApp(routes, { trustedProxies: [] }, log)).get('/fails'),
    ).rejects.toThrow();
    expect(log.lines).toHaveLength(1);
  });
});

describe('an error', () => {
  it.each<[unknown, string]>([
    [new SluiceError('FORBIDDEN'), 'FORBIDDEN'],
    [{ type: 'entity.too.large', status: 413 }, 'PAYLOAD_TOO_LARGE'],
    [{ type: 'encoding.unsupported', status: 415 }, 'UNSUPPORTED_MEDIA_TYPE'],
    [Object.assign(new URIError('x'), { status: 400 }), 'INVALID_REQUEST'],
    [new Error('x'), 'INTERNAL_ERROR'],
    [{ code: 'FORBIDDEN' }, 'INTERNAL_ERROR'],
    [undefined, 'INTERNAL_ERROR'],
    [null, 'INTERNAL_ERROR'],
    ['x', 'INTERNAL_ERROR'],
  ])('%p is shown as %s', (error, code) => {
    expect(toSluiceError(error)).toMatchObject({ code });
  });
});
