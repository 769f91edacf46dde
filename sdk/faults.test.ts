import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';
import {
  cursorAt,
  cutStream,
  FAULTS,
  type Fault,
  FaultServer,
  frames,
  redirect,
  refusal,
  status,
  stream,
} from '../test/support/fault-server.js';
import { SubscriptionRecorder } from '../test/support/subscription-recorder.js';

const RANDOM = 0.9;
/** What the first pause of a client is then, in milliseconds. */
const FIRST_PAUSE_MS = 450;
/** The same where the service has asked for a pause: that, somewhat longer, and one's own behind it. */
const asked = (ms: number): number => ms * (1 + RANDOM / 4) + FIRST_PAUSE_MS;

/** A stream that the service ends as HTTP wants it, and says nothing of it. */
const endedStream: Fault = (response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(frames.connected(0) + frames.event(1));
};

describe('a client whose service is at fault', () => {
  let server: FaultServer;
  let client: RealtimeClient;
  let seen: SubscriptionRecorder;

  beforeEach(async () => {
    // The client's timers alone: those of Node's own sockets and of its fetch go on.
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    jest.spyOn(Math, 'random').mockReturnValue(RANDOM);
    server = await FaultServer.start();
    seen = new SubscriptionRecorder();
  });
  afterEach(async () => {
    client.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.restoreAllMocks();
    jest.useRealTimers();
    await server.close();
  });

  /** A client whose first request meets `fault`; the next one gets a stream that goes on at event 2. */
  function subscribe(fault: Fault, options: Partial<RealtimeClientOptions> = {}): void {
    server.script(fault, stream(frames.connected(1, 'complete'), frames.event(2)));
    client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      token: 't1',
      ...options,
    } as RealtimeClientOptions);
    client.subscribe({ ...seen, lastEventId: cursorAt(0) });
  }

  const told = (): Promise<void> => seen.until(({ errors }) => errors.length > 0);
  const cursorsSent = (): unknown[] =>
    server.requests.map(({ headers }) => headers['last-event-id']);

  /** The pause before the next request: there is none a millisecond before its end. */
  async function pass(pauseMs: number): Promise<void> {
    await settled();
    const { length } = server.requests;
    jest.advanceTimersByTime(pauseMs - 1);
    await settled();
    expect(server.requests).toHaveLength(length);
    jest.advanceTimersByTime(1);
    await server.request(length + 1);
  }

  describe('comes back by itself, and resumes', () => {
    afterEach(() => expect(client.state).toBe('connected'));

    it.each([
      ['is cut in the middle of a frame', FAULTS['cut-frame']],
      ['is cut in the middle of a character', FAULTS['cut-character']],
      ['is cut between two frames', cutStream(frames.connected(0), frames.event(1))],
      ['ends without a word', endedStream],
    ])('when the stream %s', async (_, fault) => {
      subscribe(fault);
      await told();
      expect(seen.errors).toMatchObject([{ code: 'NETWORK_ERROR', willRetry: true }]);
      expect(client.state).toBe('reconnecting');
      await pass(FIRST_PAUSE_MS);
      await seen.until(({ events }) => events.length === 2);
      expect(seen.data).toEqual([1, 2]);
      expect(seen.disconnected).toEqual([true]);
      expect(cursorsSent()).toEqual([cursorAt(0), cursorAt(1)]);
    });

    it.each([
      ['500', status(500), 'UNAVAILABLE', FIRST_PAUSE_MS],
      [
        '502 of a proxy',
        status(502, { 'content-type': 'text/html' }),
        'UNAVAILABLE',
        FIRST_PAUSE_MS,
      ],
      ['503', refusal('UNAVAILABLE', 503, 7_000), 'UNAVAILABLE', asked(7_000)],
      ['429', status(429, { 'retry-after': '20' }), 'RATE_LIMIT_EXCEEDED', asked(20_000)],
      [
        '429 for a day',
        status(429, { 'retry-after': '86400' }),
        'RATE_LIMIT_EXCEEDED',
        asked(300_000),
      ],
      ['503 of the gate', refusal('AUTH_ERROR', 503), 'AUTH_ERROR', FIRST_PAUSE_MS],
    ] as const)('after %s', async (_, fault, code, pauseMs) => {
      subscribe(fault);
      await told();
      expect(seen.errors).toMatchObject([{ code, willRetry: true }]);
      expect(seen.connected).toEqual([]);
      await pass(pauseMs);
      await seen.until(({ events }) => events.length === 1);
      expect(cursorsSent()).toEqual([cursorAt(0), cursorAt(0)]);
    });

    it('when no answer comes', async () => {
      subscribe(FAULTS['slow-head']);
      const { over } = await server.request(1);
      jest.advanceTimersByTime(15_000);
      await told();
      await over;
      expect(seen.errors).toMatchObject([{ code: 'NETWORK_ERROR', willRetry: true }]);
      await pass(FIRST_PAUSE_MS);
      await seen.until(({ connected }) => connected.length === 1);
    });

    it('when the stream falls silent, which it hangs up', async () => {
      subscribe(stream(frames.connected(0), frames.event(1)));
      await seen.until(({ events }) => events.length === 1);
      jest.advanceTimersByTime(44_999);
      expect(client.state).toBe('connected');
      jest.advanceTimersByTime(1);
      await told();
      await (await server.request(1)).over;
      expect(seen.errors).toMatchObject([{ code: 'HEARTBEAT_TIMEOUT', willRetry: true }]);
      await pass(FIRST_PAUSE_MS);
      await seen.until(({ events }) => events.length === 2);
      expect(cursorsSent()).toEqual([cursorAt(0), cursorAt(1)]);
    });

    it('when the port is closed, once it is open elsewhere', async () => {
      const gone = await FaultServer.start();
      const endpoint = gone.scripted;
      await gone.close();
      subscribe(stream(frames.connected(1, 'complete'), frames.event(2)), { endpoint });
      await told();
      expect(seen.errors).toMatchObject([
        { code: 'NETWORK_ERROR', willRetry: true, cause: expect.any(Error) },
      ]);
      client.updateEndpoint({ baseUrl: server.scripted });
      await seen.until(({ events }) => events.length === 1);
    });

    it.each(['retry: 0', 'retry: 99999999999', 'retry: 2147483647', 'retry: -1', 'retry: 1e9'])(
      'neither at once nor never after %j',
      async (retry) => {
        subscribe(cutStream(frames.connected(0), frames.event(1), `${retry}\n\n`));
        await told();
        await pass(FIRST_PAUSE_MS);
        await seen.until(({ events }) => events.length === 2);
      },
    );

    it('at the last cursor that was one, where ids came that are none', async () => {
      const foreign = ['id: häh-€\n\n', 'id: ☃\ndata: {}\nevent: stream.later\n\n', 'id:\n\n'];
      subscribe(cutStream(frames.connected(0), frames.event(1), ...foreign));
      await told();
      expect(seen.errors).toMatchObject([{ code: 'NETWORK_ERROR', willRetry: true }]);
      await pass(FIRST_PAUSE_MS);
      await seen.until(({ events }) => events.length === 2);
      expect(cursorsSent()).toEqual([cursorAt(0), cursorAt(1)]);
    });
  });

  it('hands on an event that trickles in byte by byte, whole', async () => {
    subscribe(FAULTS.trickle);
    await seen.until(({ events }) => events.length === 1);
    expect(seen.data).toEqual(['€ in pieces']);
    expect(seen.errors).toEqual([]);
  });

  describe('gives up', () => {
    it.each([
      ['204', FAULTS['no-content'], 'PROTOCOL_ERROR'],
      ['a 200 of another type', FAULTS['wrong-type'], 'PROTOCOL_ERROR'],
      ['a 200 without a type', status(200, {}, frames.connected(0)), 'PROTOCOL_ERROR'],
      ['a 401 with events in its body', FAULTS['unauthorized-stream'], 'INVALID_TOKEN'],
      ['a 401', refusal('INVALID_TOKEN', 401), 'INVALID_TOKEN'],
      ['a 403 that never ends', FAULTS['endless-refusal'], 'FORBIDDEN'],
      ['a 404', status(404), 'NOT_FOUND'],
    ] as const)('on %s, of which it reads no event', async (_, fault, code) => {
      subscribe(fault);
      await told();
      expect(seen.errors).toMatchObject([{ code, recoverable: false, willRetry: false }]);
      expect([seen.events, seen.connected, seen.disconnected]).toEqual([[], [], []]);
      await (await server.request(1)).over;
      await expectNothingMore();
    });

    it.each([
      ['a frame without an end', FAULTS['endless-frame']],
      [
        'an event whose id is no cursor',
        stream(
          frames.connected(0),
          'id: häh-€\ndata: {"id":"e","source":"s","type":"t","time":"t","topic":"t"}\n\n',
        ),
      ],
      ['an event that is no JSON', stream(frames.connected(0), `id: ${cursorAt(1)}\ndata: {\n\n`)],
      ['an event before the stream is let in', stream(frames.event(1))],
    ])('on %s, which it hands on to nobody', async (_, fault) => {
      subscribe(fault);
      await told();
      expect(seen.errors).toMatchObject([{ code: 'PROTOCOL_ERROR', willRetry: false }]);
      expect(seen.events).toEqual([]);
      await (await server.request(1)).over;
      await expectNothingMore();
    });

    it.each([301, 302, 303, 307, 308])(
      'on a redirect %d, and sends its token nowhere else',
      async (code) => {
        const elsewhere = await FaultServer.start();
        subscribe(redirect(elsewhere.endpoint('stall'), code));
        await told();
        expect(seen.errors).toMatchObject([
          { code: 'PROTOCOL_ERROR', willRetry: false, status: code },
        ]);
        await expectNothingMore();
        expect(elsewhere.requests).toEqual([]);
        await elsewhere.close();
      },
    );

    async function expectNothingMore(): Promise<void> {
      await settled();
      expect(client.state).toBe('failed');
      expect(jest.getTimerCount()).toBe(0);
      expect(server.requests).toHaveLength(1);
    }
  });
});

/** Resolves when all that follows from what has happened so far, short of the network, has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
