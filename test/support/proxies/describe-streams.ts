import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { EVENT_STREAM_TYPE, eventsPath, PROBLEM_TYPE, type Problem } from '@sluice/protocol';
import { numbered, WORKSPACE } from '../playground.js';
import type { RawResponse } from '../raw-http.js';
import { until } from '../until.js';
import { accessLines } from './describe-logs.js';
import type { ProxyTraits } from './describe-proxy.js';
import { FAULTY_WORKSPACES } from './faulty-upstream.js';
import { openHttp2Stream } from './http2-stream.js';
import { type ProxiedService, STREAMS_PER_ADDRESS } from './proxied-service.js';

/** What is written at once must be here within it, on a busy machine too. */
const AT_ONCE_MS = 5_000;
const EVENTS = eventsPath(WORKSPACE);
const BROWSER = [['Accept-Encoding', 'gzip, deflate, br, zstd']] as const;

/** That a proxy carries streams and refusals as the service writes them. */
export function describeStreams(proxied: () => ProxiedService, traits: ProxyTraits): void {
  const bearer = () => ['Authorization', `Bearer ${proxied().token}`] as const;
  const withToken = () => ({ headers: [bearer(), ...BROWSER] });

  describe('a stream through it', () => {
    it('begins at once, is kept alive, and brings what is published at once, uncompressed', async () => {
      const { stream, playground } = proxied();
      using opened = await stream(EVENTS, withToken());
      const { status, headers } = await opened.head;
      expect(status).toBe(200);
      expect(headers.get('content-type')?.[0]).toMatch(new RegExp(`^${EVENT_STREAM_TYPE}`));
      expect(headers.has('content-encoding')).toBe(false);
      await opened.next('stream.connected', AT_ONCE_MS);
      await opened.nextComment(AT_ONCE_MS);
      await playground.publish(numbered(1, 1));
      await opened.next('message', AT_ONCE_MS);
      // Longer than the three seconds after which the proxy would give up a service that says nothing.
      for (let beats = 0; beats < 14; beats++) await opened.nextComment(AT_ONCE_MS);
    });

    it('goes on where it was left, by the header and by the parameter', async () => {
      const { stream, playground } = proxied();
      const published = await playground.publish(numbered(1, 3));
      const [first, , third] = published.map(({ cursor }) => cursor);
      const header = [bearer(), ['Last-Event-ID', first ?? '']] as const;
      using byHeader = await stream(EVENTS, { headers: header });
      using byParameter = await stream(`${EVENTS}?last_event_id=${first}`, { headers: [bearer()] });
      for (const resumed of [byHeader, byParameter]) {
        const { data } = await resumed.next('stream.connected', AT_ONCE_MS);
        expect(data).toMatchObject({ resumed: 'complete' });
        await resumed.next('message', AT_ONCE_MS);
        expect((await resumed.next('message', AT_ONCE_MS)).id).toBe(third);
      }
    });

    it('does all of this over HTTP/2', async () => {
      const { proxy, ca, playground, token } = proxied();
      const [before] = await playground.publish(numbered(1, 1));
      await using opened = await openHttp2Stream(proxy.tlsPort, ca, {
        ':path': EVENTS,
        authorization: `Bearer ${token}`,
        'accept-encoding': 'gzip, deflate, br',
        'last-event-id': before?.cursor ?? '',
      });
      expect(opened.headers[':status']).toBe(200);
      expect(opened.headers['content-encoding']).toBeUndefined();
      await opened.text('"resumed":"complete"', AT_ONCE_MS);
      await opened.text(': ping', AT_ONCE_MS);
      const [event] = await playground.publish(numbered(2, 2));
      await opened.text(`id: ${event?.cursor}`, AT_ONCE_MS);
    });

    it('takes what is published through it', async () => {
      const { ask } = proxied();
      const { status, body } = await ask(EVENTS, {
        method: 'POST',
        headers: [bearer(), ['Content-Type', 'application/json']],
        body: JSON.stringify(numbered(1, 2)),
      });
      expect(status).toBe(201);
      expect((JSON.parse(body) as { events: unknown[] }).events).toHaveLength(2);
    });
  });

  describe('a refusal through it', () => {
    it.each<[status: number, code: string, path: string]>([
      [401, 'MISSING_TOKEN', EVENTS],
      [403, 'WORKSPACE_MISMATCH', eventsPath('other')],
      [404, 'NOT_FOUND', '/realtime/workspace/acme/nothing'],
      [503, 'UNAVAILABLE', eventsPath(FAULTY_WORKSPACES.unavailable)],
    ])('is the answer of the service: %i %s', async (expected, code, path) => {
      const answer = await proxied().ask(path, code === 'MISSING_TOKEN' ? {} : withToken());
      expectProblem(answer, expected, code);
      if (expected === 503) expect(answer.headers.get('retry-after')).toEqual(['7']);
      if (expected === 401) expect(answer.headers.has('www-authenticate')).toBe(true);
    });

    it('is by the address of the client, which cannot be made up, until a stream has gone', async () => {
      const { stream, ask } = proxied();
      const at = (localAddress: string, claimed?: string) => ({
        localAddress,
        headers: [bearer(), ...(claimed === undefined ? [] : forged(claimed))],
      });
      const opened = await Promise.all(
        Array.from({ length: STREAMS_PER_ADDRESS }, () => stream(EVENTS, at('127.0.0.9'))),
      );
      using _ = {
        [Symbol.dispose]() {
          for (const one of opened) one[Symbol.dispose]();
        },
      };
      for (const one of opened) expect((await one.head).status).toBe(200);

      const refused = await ask(EVENTS, at('127.0.0.9', '192.0.2.7'));
      expectProblem(refused, 429, 'RATE_LIMIT_EXCEEDED');
      expect(refused.headers.get('retry-after')?.[0]).toMatch(/^\d+$/);
      using other = await stream(EVENTS, at('127.0.0.10', '127.0.0.9'));
      expect((await other.head).status).toBe(200);

      opened[0]?.[Symbol.dispose]();
      await until('the place of the stream that has gone is free', async () => {
        using next = await stream(EVENTS, at('127.0.0.9'));
        return (await next.head).status === 200;
      });
    });
  });

  describe('a request through it', () => {
    it('has one name in the access log, at the service and in the answer: never the one that it brought', async () => {
      const { ask, proxy } = proxied();
      const brought = 'brought-by-the-client';
      const headers = [bearer(), ['X-Request-Id', brought]] as const;
      const answer = await ask(eventsPath('other'), { headers });
      const { requestId } = JSON.parse(answer.body) as Problem;
      expect(requestId).not.toBe(brought);
      expect(answer.headers.get('x-request-id')).toEqual([requestId]);
      await until('the access log has it', async () =>
        (await accessLines(proxied(), traits)).some((line) => line.requestId === requestId),
      );
      expect(String((await proxy.outputs()).get(traits.accessLog))).not.toContain(brought);
    });
  });

  describe('what the service is told of a request', () => {
    it('is the address that it came from and the host that was asked for, and no claim of the client', async () => {
      const { ask, upstream } = proxied();
      const seen = upstream.heads.length;
      const headers = [bearer(), ...forged('192.0.2.7'), ['Host', 'other.example'] as const];
      await ask(eventsPath(FAULTY_WORKSPACES.unavailable), { localAddress: '127.0.0.11', headers });
      const head = upstream.heads[seen] ?? '';
      expect(head).toMatch(/^x-forwarded-for: 127\.0\.0\.11$/im);
      expect(head).toMatch(/^host: other\.example$/im);
      expect(head).not.toContain('192.0.2.7');
    });

    it('is not what the client wants to be taken away on the way', async () => {
      const { ask, upstream } = proxied();
      const seen = upstream.heads.length;
      const names = 'keep-alive, X-Forwarded-For, X-Request-Id';
      const { status } = await ask(eventsPath(FAULTY_WORKSPACES.unavailable), {
        localAddress: '127.0.0.12',
        headers: [bearer(), ['Connection', names]],
      });
      // Varnish refuses to take away what is known to mean something.
      if (status === 400) return;
      const head = upstream.heads[seen] ?? '';
      expect(head).toMatch(/^x-forwarded-for: 127\.0\.0\.12$/im);
      expect(head).toMatch(/^x-request-id: \S+$/im);
    });
  });

  describe('what is not for the public', () => {
    it.each([
      '/healthz',
      '/readyz',
      '/metrics',
      '/nginx_status',
      '/server-status',
      '/server-info',
      '/balancer-manager',
      '/stats',
      '/config/',
      '/oauth/token',
      '/auth/token',
      '/.well-known/jwks.json',
    ])('is not there: %s', async (path) => {
      const { status, body } = await proxied().ask(path);
      expect([403, 404]).toContain(status);
      expect(body).not.toMatch(/alive|ready|sluice_|connections|uptime|keys/i);
    });

    it('includes what TLS 1.1 could carry', async () => {
      const { proxy, ca } = proxied();
      const outcome = await new Promise<string>((resolve) => {
        const options = {
          port: proxy.tlsPort,
          host: '127.0.0.1',
          ca,
          minVersion: 'TLSv1',
          maxVersion: 'TLSv1.1',
        } as const;
        const socket = connectTls({ ...options, ciphers: 'DEFAULT@SECLEVEL=0' }, () =>
          resolve('accepted'),
        );
        socket.on('error', ({ message }) => resolve(message)).on('close', () => socket.destroy());
      });
      expect(outcome).toMatch(/protocol version/);
    });
  });
}

function forged(address: string): (readonly [string, string])[] {
  return [
    ['X-Forwarded-For', address],
    ['X-Real-IP', address],
    ['Forwarded', `for=${address}`],
  ];
}

function expectProblem(
  { status, headers, body }: RawResponse,
  expected: number,
  code: string,
): void {
  expect(status).toBe(expected);
  expect(headers.get('content-type')?.[0]).toMatch(
    new RegExp(`^${PROBLEM_TYPE.replace('+', '\\+')}`),
  );
  const problem = JSON.parse(body) as Problem;
  expect(problem).toMatchObject({ status: expected, code });
}
