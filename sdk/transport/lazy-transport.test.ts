import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { runStream } from '../../test/support/run-stream.js';
import { lazyTransport } from './lazy-transport.js';
import type { Transport } from './transport.js';

describe('a transport that is loaded late', () => {
  let calledOff: AbortController;

  beforeEach(() => {
    calledOff = new AbortController();
  });

  const loaded: Transport = {
    run: async (_, listener) => listener.onFrame({ data: 'a frame' }),
  };

  function run(transport: Transport) {
    return runStream({ transport, endpoint: 'http://127.0.0.1:1', signal: calledOff.signal });
  }

  it('is not loaded before the first stream', async () => {
    const load = jest.fn(async () => loaded);
    const transport = lazyTransport(load);
    expect(load).not.toHaveBeenCalled();
    expect(await run(transport)).toMatchObject({ frames: [{ data: 'a frame' }], error: null });
  });

  it('is tried again where loading has failed, which is no end', async () => {
    const cause = new TypeError('Failed to fetch dynamically imported module');
    const load = jest.fn(async () => loaded).mockRejectedValueOnce(cause);
    const transport = lazyTransport(load);
    expect((await run(transport)).error).toMatchObject({
      code: 'NETWORK_ERROR',
      recoverable: true,
      cause,
    });
    expect((await run(transport)).error).toBeNull();
  });

  it('is called off while it is loaded', async () => {
    const reason = new Error('enough');
    const running = run(lazyTransport(() => new Promise(() => {})));
    calledOff.abort(reason);
    expect((await running).error).toBe(reason);
  });

  it('is one transport, however often it was loaded, which rests once it is there', async () => {
    const rest = jest.fn();
    const made: Transport[] = [];
    const load = async (): Promise<Transport> => {
      const transport = { run: jest.fn(loaded.run), rest };
      made.push(transport);
      return transport;
    };
    const transport = lazyTransport(load);
    transport.rest?.();
    expect(rest).not.toHaveBeenCalled();
    await Promise.all([run(transport), run(transport)]);
    expect(made.map((one) => jest.mocked(one.run).mock.calls.length)).toEqual([2, 0]);
    transport.rest?.();
    expect(rest).toHaveBeenCalledTimes(1);
  });
});
