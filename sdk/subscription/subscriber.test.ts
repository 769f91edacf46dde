import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient } from '@sluice/sdk';
import { FaultServer, frames, stream } from '../../test/support/fault-server.js';
import { SubscriptionRecorder } from '../../test/support/subscription-recorder.js';

describe('a callback that throws', () => {
  let server: FaultServer;
  let client: RealtimeClient;
  let seen: SubscriptionRecorder;

  const thrown = new Error('a mistake of the application');
  const mistaken = (): never => {
    throw thrown;
  };

  beforeEach(async () => {
    server = await FaultServer.start();
    seen = new SubscriptionRecorder();
    client = new RealtimeClient({ endpoint: server.scripted, workspace: 'acme', token: 't1' });
  });
  afterEach(async () => {
    Reflect.deleteProperty(globalThis, 'reportError');
    jest.restoreAllMocks();
    client.close();
    await server.close();
  });

  it('disturbs nothing, and each mistake is reported', async () => {
    const reportError = jest.fn();
    Object.assign(globalThis, { reportError });
    server.script(
      stream(frames.connected(0), frames.event(1), frames.event(2), frames.error('FORBIDDEN')),
      stream(frames.connected(0)),
    );
    const { ready } = client.subscribe({ ...seen, onConnected: mistaken, onEvent: mistaken });
    await ready;
    await seen.until(({ errors }) => errors.length === 1);
    expect(seen.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect(reportError.mock.calls).toEqual([[thrown], [thrown], [thrown]]);
  });

  it('is an uncaught error where the platform has no reportError', async () => {
    const tasks: (() => void)[] = [];
    jest.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => void tasks.push(task));
    server.script(stream(frames.connected(0), frames.event(1)));
    client.subscribe({ ...seen, onConnected: mistaken });
    await seen.until(({ events }) => events.length === 1);
    expect(tasks[0]).toThrow(thrown);
  });
});
