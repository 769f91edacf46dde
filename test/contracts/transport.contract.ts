import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type Frame,
  SERVICE_ERRORS,
  type ServiceErrorCode,
  TERMINAL_RETRY_MS,
} from '@sluice/protocol';
import { RealtimeError } from '../../sdk/errors.js';
import { type FetchLike, platformFetch } from '../../sdk/http/fetch-like.js';
import type { Transport } from '../../sdk/transport/transport.js';
import {
  cursorAt,
  cutStream,
  FAULTS,
  FaultServer,
  frames,
  parametersOf,
  redirect,
  refusal,
  type SeenRequest,
  status,
  stream,
} from '../support/fault-server.js';
import { type Ran, type RunOptions, runStream, TOKEN } from '../support/run-stream.js';

/** How the stream tokens of the fault server begin. */
const STREAM_TOKEN = 'one-time-';

/** How the suite gets a transport, and what that transport is able to do. */
export interface TransportDriver {
  open(fetch: FetchLike): Transport;
  /** Whether it sees the answer itself: its status, its comments, every byte. A native EventSource does not. */
  readonly seesAnswers: boolean;
  /** The cursor that a request resumes from. */
  cursorOf(request: SeenRequest): string | null;
}

/** What every adapter of the `Transport` port must do. */
export function describeTransport(name: string, driver: TransportDriver): void {
  const { seesAnswers } = driver;
  /** What is left of an error that the transport cannot see. */
  const ifSeen = <T extends object>(error: T) =>
    seesAnswers ? error : { code: 'NETWORK_ERROR', recoverable: true };

  describe(name, () => {
    let server: FaultServer;
    let calledOff: AbortController;

    beforeEach(async () => {
      // The timers of the transport alone: those of Node's own sockets and of its fetch go on.
      jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'Date'] });
      server = await FaultServer.start();
      calledOff = new AbortController();
    });
    afterEach(async () => {
      calledOff.abort();
      // However a stream has ended: nobody waits for anything, least of all to come back.
      expect(jest.getTimerCount()).toBe(0);
      jest.useRealTimers();
      expect(server.requests.length).toBeLessThan(2);
      await server.close();
    });

    function run({
      endpoint = server.scripted,
      fetch = platformFetch,
      ...options
    }: Partial<RunOptions> & { fetch?: FetchLike } = {}): Promise<Ran> {
      const transport = driver.open(fetch);
      return runStream({ transport, endpoint, signal: calledOff.signal, ...options });
    }

    /** Calls the stream off at the event with this offset. */
    const endAt =
      (offset: number, reason?: unknown) =>
      ({ id }: Frame): void => {
        if (id === cursorAt(offset)) calledOff.abort(reason);
      };

    describe('asks', () => {
      it('for the topics and types that are wanted, in the workspace', async () => {
        server.script(FAULTS.stall);
        await run({
          request: { topics: ['orders.*', 'a&b'], types: ['x'] },
          onFrame: endAt(0),
        });
        const { method, url } = await server.request(1);
        expect(method).toBe('GET');
        expect(url).toMatch(/^\/scripted\/realtime\/workspace\/acme\/events\b/);
        expect(parametersOf({ url }).get('topics')).toBe('orders.*,a&b');
        expect(parametersOf({ url }).get('types')).toBe('x');
      });

      it('for everything from now on', async () => {
        server.script(FAULTS.stall);
        await run({ onFrame: endAt(0) });
        const request = await server.request(1);
        expect(driver.cursorOf(request)).toBeNull();
        expect([...parametersOf(request).keys()]).not.toEqual(
          expect.arrayContaining(['topics', 'types']),
        );
      });

      it('for what comes behind a cursor', async () => {
        server.script(FAULTS.stall);
        await run({ request: { lastEventId: cursorAt(4) }, onFrame: endAt(0) });
        expect(driver.cursorOf(await server.request(1))).toBe(cursorAt(4));
      });

      it('nothing once it was called off', async () => {
        const reason = new Error('enough');
        calledOff.abort(reason);
        const fetch = jest.fn(platformFetch);
        expect((await run({ fetch })).error).toBe(reason);
        expect(fetch).not.toHaveBeenCalled();
      });
    });

    describe('reads', () => {
      it('frames with their names, their data and their cursors, in order', async () => {
        server.script(
          stream(
            frames.connected(0),
            frames.event(1),
            frames.control('stream.gap', { from: 'x' }, cursorAt(7)),
            'data: {"two":\ndata: "lines"}\n\n',
            frames.control('stream.newer', {}),
            frames.event(8),
          ),
        );
        const { frames: seen } = await run({ onFrame: endAt(8) });
        const told = seen.filter(({ data, event }) => data && event !== 'stream.newer');
        expect(told.map(({ event, id }) => [event, id])).toEqual([
          ['stream.connected', cursorAt(0)],
          [undefined, cursorAt(1)],
          ['stream.gap', cursorAt(7)],
          [undefined, undefined],
          [undefined, cursorAt(8)],
        ]);
        expect(told[3]?.data).toBe('{"two":\n"lines"}');
      });

      it('a stream that trickles in byte by byte', async () => {
        const { frames: seen } = await run({
          endpoint: server.endpoint('trickle'),
          onFrame: endAt(1),
        });
        expect(seen.at(-1)?.data).toContain('"€ in pieces"');
      });

      it('more than one frame may hold, in many frames', async () => {
        const large = frames.event(1, 'x'.repeat(1_000_000));
        server.script(stream(frames.connected(0), large.repeat(5), frames.event(2)));
        const { frames: seen } = await run({ onFrame: endAt(2) });
        expect(seen.filter(({ id }) => id === cursorAt(1))).toHaveLength(5);
      });

      it('past any number of comments, heartbeats and events that it does not know', async () => {
        const filler = 'x'.repeat(1_000_000);
        const passedOver = [
          `: ${filler}\r\n\r\n`,
          `: ${filler}\r\r`,
          `event: y\ndata: ${filler}\n\n`,
        ];
        server.script(stream(frames.connected(0), ...passedOver, ...passedOver, frames.event(1)));
        const reason = new Error('enough');
        expect((await run({ onFrame: endAt(1, reason) })).error).toBe(reason);
      });

      it('ids that are no cursors as they are', async () => {
        server.script(stream('id: ωμέγα\ndata: {}\n\n'));
        const { frames: seen } = await run({ onFrame: () => calledOff.abort() });
        expect(seen).toEqual([{ id: 'ωμέγα', data: '{}' }]);
      });

      it('no end out of a frame that is named like an event of the platform', async () => {
        server.script(stream('event: error\ndata: x\n\nevent: open\ndata: x\n\n', frames.event(1)));
        const reason = new Error('enough');
        expect((await run({ onFrame: endAt(1, reason) })).error).toBe(reason);
      });

      it('the clock of the service', async () => {
        server.script((response, request) => {
          response.setHeader('date', 'Fri, 01 Jan 2027 00:00:00 GMT');
          FAULTS.stall(response, request);
        });
        const { serverTimes } = await run({ onFrame: endAt(0) });
        expect(serverTimes.includes(Date.UTC(2027, 0))).toBe(seesAnswers);
      });

      it('past a clock that makes no sense', async () => {
        server.script((response, request) => {
          response.setHeader('date', 'tomorrow');
          FAULTS.stall(response, request);
        });
        const { frames: seen, serverTimes } = await run({ onFrame: endAt(0) });
        expect(seen.at(-1)?.id).toBe(cursorAt(0));
        expect(serverTimes.some(Number.isNaN)).toBe(false);
      });

      it('signs of life where it sees them, and tells of none where it does not', async () => {
        server.script(stream(frames.heartbeat(), frames.connected(0)));
        const { activities } = await run({ onFrame: endAt(0) });
        if (seesAnswers) expect(activities).toBeGreaterThanOrEqual(2);
        else expect(activities).toBe(0);
      });
    });

    describe('reports', () => {
      const codes = Object.entries(SERVICE_ERRORS) as [
        ServiceErrorCode,
        (typeof SERVICE_ERRORS)[ServiceErrorCode],
      ][];

      it.each(codes.filter(([, { status: httpStatus }]) => httpStatus !== null))(
        'the refusal %s',
        async (code, { status: httpStatus, recoverable }) => {
          server.script(refusal(code, httpStatus ?? 0, 1_500));
          expect((await run()).error).toMatchObject({
            code,
            status: httpStatus,
            recoverable,
            willRetry: false,
            requestId: 'r1',
            retryAfterMs: 1_500,
          });
        },
      );

      it.each(codes)('the end %s of a stream that was open', async (code, { recoverable }) => {
        server.script(stream(frames.connected(0), frames.event(1), frames.error(code)));
        const { frames: seen, error } = await run();
        expect(seen.find(({ id }) => id === cursorAt(1))).toBeDefined();
        expect(error).toMatchObject({ code, recoverable, requestId: 'r1' });
        await (await server.request(1)).over;
      });

      it.each([
        [204, 'PROTOCOL_ERROR'],
        [301, 'PROTOCOL_ERROR'],
        [400, 'INVALID_REQUEST'],
        [401, 'INVALID_TOKEN'],
        [403, 'FORBIDDEN'],
        [404, 'NOT_FOUND'],
        [408, 'UNAVAILABLE'],
        [418, 'PROTOCOL_ERROR'],
        [429, 'RATE_LIMIT_EXCEEDED'],
        [500, 'UNAVAILABLE'],
        [502, 'UNAVAILABLE'],
      ])('a bare status %d as %s', async (httpStatus, code) => {
        server.script(status(httpStatus, { 'content-type': 'text/html' }));
        expect((await run()).error).toMatchObject(ifSeen({ code, status: httpStatus }));
      });

      it('when the service wants to be asked again', async () => {
        server.script(status(429, { 'retry-after': '7' }));
        expect((await run()).error).toMatchObject(
          ifSeen({ code: 'RATE_LIMIT_EXCEEDED', retryAfterMs: 7_000 }),
        );
      });

      it('a closed port as NETWORK_ERROR, with the cause', async () => {
        const endpoint = server.origin;
        await server.close();
        expect((await run({ endpoint })).error).toMatchObject({
          code: 'NETWORK_ERROR',
          recoverable: true,
          cause: { cause: { code: 'ECONNREFUSED' } },
        });
        server = await FaultServer.start();
      });

      it.each([
        ['in the middle of a frame', FAULTS['cut-frame']],
        ['in the middle of a character', FAULTS['cut-character']],
        ['between two frames', cutStream(frames.connected(0), frames.event(1))],
      ])('a stream that is cut %s, and keeps back what is not whole', async (_, fault) => {
        server.script(fault);
        const { frames: seen, error } = await run();
        expect(seen.at(-1)?.id).toBe(cursorAt(1));
        expect(error).toMatchObject({ code: 'NETWORK_ERROR', recoverable: true });
      });

      it('no error worse than NETWORK_ERROR for a stream that ends without a word', async () => {
        server.script(status(200, { 'content-type': 'text/event-stream' }, frames.connected(0)));
        const { frames: seen, error } = await run();
        expect(seen.at(-1)?.id).toBe(cursorAt(0));
        if (error !== null) expect(error).toMatchObject({ code: 'NETWORK_ERROR' });
      });

      it.each(['wrong-type', 'unauthorized-stream'] as const)(
        'no events out of %s',
        async (fault) => {
          const { frames: seen, error } = await run({ endpoint: server.endpoint(fault) });
          expect(seen).toEqual([]);
          expect(error).toMatchObject(
            ifSeen({ code: fault === 'wrong-type' ? 'PROTOCOL_ERROR' : 'INVALID_TOKEN' }),
          );
        },
      );

      it.each(['retry: 0', 'retry: 99999999999', `retry: ${TERMINAL_RETRY_MS}`])(
        'an end behind "%s", and does not come back by itself',
        async (retry) => {
          const text = `${retry}\n${frames.connected(0).replace(/^retry.*\n/, '')}`;
          server.script(status(200, { 'content-type': 'text/event-stream' }, text));
          expect((await run()).frames.at(-1)?.id).toBe(cursorAt(0));
          expect(jest.getTimerCount()).toBe(0);
        },
      );

      const itSeesAnswers = seesAnswers ? it : it.skip;
      const itSeesGrowth = itSeesAnswers.each(['endless-frame', 'endless-lines'] as const);
      itSeesGrowth('a frame that grows beyond every bound, and hangs up (%s)', async (fault) => {
        const { error } = await run({ endpoint: server.endpoint(fault) });
        expect(error).toMatchObject({ code: 'PROTOCOL_ERROR', recoverable: false });
        await (await server.request(1)).over;
      });

      itSeesAnswers('a refusal without end, and hangs up', async () => {
        const { error } = await run({ endpoint: server.endpoint('endless-refusal') });
        expect(error).toMatchObject({ code: 'FORBIDDEN', status: 403 });
        await (await server.request(1)).over;
      });
    });

    describe('ends', () => {
      it('at once when it is called off, and hangs up', async () => {
        const reason = new Error('enough');
        server.script(FAULTS.stall);
        const { error } = await run({ onFrame: endAt(0, reason) });
        expect(error).toBe(reason);
        await (await server.request(1)).over;
      });

      it('when it is called off before the head has come, and hangs up', async () => {
        const reason = new Error('enough');
        const running = run({ endpoint: server.endpoint('slow-head') });
        const { over } = await server.request(1);
        calledOff.abort(reason);
        expect((await running).error).toBe(reason);
        await over;
      });

      it('in the middle of what came in at once', async () => {
        server.script(
          stream(frames.connected(0), frames.event(1), frames.event(2), frames.event(3)),
        );
        const { frames: seen } = await run({ onFrame: endAt(1) });
        expect(seen.at(-1)?.id).toBe(cursorAt(1));
      });

      it('without a listener that stays on the signal', async () => {
        const added = jest.spyOn(calledOff.signal, 'addEventListener');
        const removed = jest.spyOn(calledOff.signal, 'removeEventListener');
        server.script(cutStream(frames.connected(0)));
        await run();
        expect(added.mock.calls.length).toBeGreaterThan(0);
        expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
          added.mock.calls.map(([, listener]) => listener),
        );
      });

      it('with what its listener throws', async () => {
        const fault = new TypeError('a fault of the listener');
        server.script(stream(frames.connected(0), frames.event(1)));
        const { frames: seen, error } = await run({
          onFrame: ({ data }) => {
            if (data !== undefined) throw fault;
          },
        });
        expect(error).toBe(fault);
        expect(seen.at(-1)?.id).toBe(cursorAt(0));
        await (await server.request(1)).over;
      });
    });

    describe('keeps its tokens', () => {
      it.each([301, 302, 307, 308])('from where a redirect %d leads', async (code) => {
        const elsewhere = await FaultServer.start();
        try {
          server.script(redirect(elsewhere.endpoint('stall'), code));
          const { frames: seen, error } = await run();
          expect(error).toMatchObject({ code: 'PROTOCOL_ERROR', recoverable: false });
          expect(seen).toEqual([]);
          const told = JSON.stringify(elsewhere.requests);
          expect(told).not.toContain(TOKEN);
          expect(told).not.toContain(STREAM_TOKEN);
          if (seesAnswers) expect(elsewhere.requests).toEqual([]);
        } finally {
          await elsewhere.close();
        }
      });

      it('out of its errors, whatever fetch and service say', async () => {
        const leaky: FetchLike = (url, init) => {
          const cause = Object.assign(new Error(`"Bearer ${TOKEN}" for ${url}`), { code: 'EHEAD' });
          throw Object.assign(new TypeError(`no ${url}`, { cause }), { config: init });
        };
        const tellingAll = stream(
          frames.control('stream.error', {
            code: 'INVALID_REQUEST',
            detail: `what is ${TOKEN}?`,
            requestId: TOKEN,
          }),
        );
        server.script(tellingAll);
        const errors = [(await run({ fetch: leaky })).error, (await run()).error];
        expect(errors).toMatchObject([{ code: 'NETWORK_ERROR' }, { code: 'INVALID_REQUEST' }]);
        for (const error of errors) {
          expect(RealtimeError.isRealtimeError(error)).toBe(true);
          const shown = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error);
          expect(shown).not.toContain(TOKEN);
          expect(shown).not.toContain(STREAM_TOKEN);
        }
      });
    });
  });
}
