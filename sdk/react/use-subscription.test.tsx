import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RealtimeClient } from '@sluice/sdk';
import {
  RealtimeProvider,
  type SubscriptionSnapshot,
  type UseSubscriptionOptions,
  useRealtime,
  useSubscription,
} from '@sluice/sdk/react';
import { Activity, type ReactNode, StrictMode, useEffect } from 'react';
import {
  cursorAt,
  type Fault,
  FaultServer,
  frames,
  refusal,
  stream,
} from '../../test/support/fault-server.js';
import { ReactPage } from '../../test/support/react-page.js';
import { SubscriptionRecorder } from '../../test/support/subscription-recorder.js';

describe('useSubscription', () => {
  let server: FaultServer;
  let page: ReactPage;
  let seen: SubscriptionRecorder;
  let renders: number;
  let close: () => void;

  beforeEach(async () => {
    server = await FaultServer.start();
    page = new ReactPage();
    seen = new SubscriptionRecorder();
    renders = 0;
    close = () => {};
  });
  afterEach(async () => {
    await page[Symbol.asyncDispose]();
    await server.close();
  });

  function Orders(options: UseSubscriptionOptions): ReactNode {
    const client = useRealtime();
    const snapshot = useSubscription({ onEvent: seen.onEvent, ...options });
    close = () => client?.close();
    renders++;
    return words(snapshot);
  }

  const show = (options: UseSubscriptionOptions, extra: ReactNode = null): Promise<void> =>
    page.render(
      <RealtimeProvider endpoint={server.scripted} workspaceId="acme" token="t1">
        <Orders {...options} />
        {extra}
      </RealtimeProvider>,
    );

  const asked = (): URLSearchParams[] =>
    server.requests.map(({ url }) => new URL(url, server.origin).searchParams);
  const cursors = (): unknown[] => server.requests.map(({ headers }) => headers['last-event-id']);

  it('hands events on to the callback of the last render, and renders nothing for them', async () => {
    const live = liveStream(frames.connected(0));
    server.script(live.fault);
    const heard: string[] = [];
    const listen = (version: number): UseSubscriptionOptions => ({
      onEvent: (event, context) => {
        heard.push(`${version}:${event.data}`);
        seen.onEvent(event, context);
      },
    });
    await show(listen(1));
    await page.shows('ready');
    live.write(frames.event(1));
    await seen.until(({ events }) => events.length === 1);
    await show(listen(2), '!');
    await page.shows('ready!');
    const before = renders;
    live.write(frames.event(2));
    await seen.until(({ events }) => events.length === 2);
    expect(heard).toEqual(['1:1', '2:2']);
    expect(renders).toBe(before);
    expect(server.requests).toHaveLength(1);
  });

  it('keeps its subscription when lists are written in place, in whatever order', async () => {
    const live = liveStream(frames.connected(0));
    server.script(live.fault, stream(frames.connected(0)));
    const { onConnected } = seen;
    await show({ topics: ['orders', 'b'], types: ['record.*'], onConnected });
    await page.shows('ready');
    await new Promise<void>((resolve) => {
      void show(
        { topics: ['b', 'orders'], types: ['record.*'], onConnected },
        <Ran then={resolve} />,
      );
    });
    live.write(frames.event(1));
    await seen.until(({ events }) => events.length === 1);
    expect(seen.connected).toHaveLength(1);
    expect(server.requests).toHaveLength(1);
  });

  it('changes its topics within the stream of the client: from the cursor on, with nothing lost', async () => {
    // The heartbeat moves the cursor over what others have published.
    server.script(
      stream(frames.connected(5), frames.heartbeat(8), frames.event(9), frames.heartbeat(12)),
      stream(frames.connected(12, 'complete'), frames.event(13), frames.event(14)),
    );
    await show({ topics: ['orders'] });
    await seen.until(({ events }) => events.length === 1);
    await show({ topics: ['orders', 'invoices'] });
    await (await server.request(1)).over;
    await page.shows('ready');
    await seen.until(({ events }) => events.length === 3);
    expect(seen.data).toEqual([9, 13, 14]);
    expect(asked().map((search) => search.get('topics'))).toEqual(['orders', 'invoices,orders']);
    expect(cursors()).toEqual([undefined, cursorAt(12)]);
  });

  it('begins behind `lastEventId` once, and not again with other topics', async () => {
    server.script(
      stream(frames.connected(3, 'complete'), frames.event(4)),
      stream(frames.connected(4, 'complete'), frames.event(5)),
    );
    const lastEventId = cursorAt(3);
    await show({ topics: ['orders'], lastEventId });
    await seen.until(({ events }) => events.length === 1);
    await show({ topics: ['orders', 'invoices'], lastEventId });
    await seen.until(({ events }) => events.length === 2);
    expect(cursors()).toEqual([cursorAt(3), cursorAt(4)]);
  });

  it('does not subscribe anew for a `lastEventId` that moves with the events', async () => {
    server.script(stream(frames.connected(3, 'complete')), stream(frames.connected(4)));
    await show({ lastEventId: cursorAt(3) });
    await page.shows('ready');
    await show({ lastEventId: cursorAt(4) }, '!');
    await page.shows('ready!');
    await page.unmount();
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(1);
  });

  it('begins behind `lastEventId` in Strict Mode too', async () => {
    server.script(stream(frames.connected(3, 'complete')));
    await page.render(
      <StrictMode>
        <RealtimeProvider endpoint={server.scripted} workspaceId="acme" token="t1">
          <Orders lastEventId={cursorAt(3)} />
        </RealtimeProvider>
      </StrictMode>,
    );
    await page.shows('ready');
    expect(cursors()).toEqual([cursorAt(3)]);
  });

  it('subscribes while it is enabled', async () => {
    server.script(stream(frames.connected(0)));
    await show({ enabled: false });
    await page.shows('waiting');
    await show({ enabled: true });
    await page.shows('ready');
    await show({ enabled: false });
    await page.shows('waiting');
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['was not enabled', { enabled: false }, {}],
    ['was signed out', {}, { authToken: null }],
    ['was hidden', {}, { mode: 'hidden' }],
    ['lost its client to other options', {}, { maxAttempts: 3 }],
  ] as const)('goes on where it was after it %s', async (_, options, changed) => {
    const render = (pause: boolean) => {
      const { mode = 'visible', ...props } = { mode: undefined, ...(pause && changed) };
      return page.render(
        <Activity mode={mode}>
          <RealtimeProvider endpoint={server.scripted} workspaceId="acme" authToken="t1" {...props}>
            <Orders topics={['orders']} {...(pause && options)} />
          </RealtimeProvider>
        </Activity>,
      );
    };
    server.script(
      stream(frames.connected(3), frames.event(4)),
      stream(frames.connected(4, 'complete'), frames.event(5)),
    );
    await render(false);
    await seen.until(({ events }) => events.length === 1);
    await render(true);
    await (await server.request(1)).over;
    await render(false);
    await seen.until(({ events }) => events.length === 2);
    expect(cursors().slice(0, 2)).toEqual([undefined, cursorAt(4)]);
  });

  it('goes on from its start where no event has come', async () => {
    server.script(stream(frames.connected(3)), stream(frames.connected(3, 'complete')));
    await show({});
    await page.shows('ready');
    await show({ enabled: false });
    await page.shows('waiting');
    await show({});
    await page.shows('ready');
    expect(cursors()).toEqual([undefined, cursorAt(3)]);
  });

  it('begins anew in another workspace', async () => {
    server.script(stream(frames.connected(3), frames.event(4)), stream(frames.connected(0)));
    await show({});
    await seen.until(({ events }) => events.length === 1);
    await page.render(
      <RealtimeProvider endpoint={server.scripted} workspaceId="other" token="t1">
        <Orders />
      </RealtimeProvider>,
    );
    await server.request(2);
    expect(cursors()).toEqual([undefined, undefined]);
  });

  it('tells why no events flow, until they do', async () => {
    server.script(
      refusal('UNAVAILABLE', 503),
      refusal('FORBIDDEN', 403),
      stream(frames.connected(0)),
    );
    await show({});
    await page.shows('UNAVAILABLE, retries');
    await page.shows('FORBIDDEN, fails');
    await page.render(
      <RealtimeProvider endpoint={server.scripted} workspaceId="acme" token="t2">
        <Orders />
      </RealtimeProvider>,
    );
    await page.shows('ready');
  });

  it('is not ready while the stream is down', async () => {
    const live = liveStream(frames.connected(0));
    server.script(live.fault, stream(frames.connected(0, 'complete')));
    await show({});
    await page.shows('ready');
    live.cut();
    await page.shows('NETWORK_ERROR, retries');
    await page.shows('ready');
  });

  it('calls nobody once the component is gone', async () => {
    const heard: string[] = [];
    const live = liveStream(frames.connected(0));
    server.script(live.fault);
    await page.render(
      <RealtimeProvider endpoint={server.scripted} workspaceId="acme" token="t1">
        <Orders key="1" topics={['orders']} onEvent={() => heard.push('gone')} />
        <Kept />
      </RealtimeProvider>,
    );
    await page.shows('readyready');
    await page.render(
      <RealtimeProvider endpoint={server.scripted} workspaceId="acme" token="t1">
        <Kept />
      </RealtimeProvider>,
    );
    await page.shows('ready');
    live.write(frames.event(1));
    await seen.until(({ events }) => events.length === 1);
    expect(heard).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it('is over with its client', async () => {
    server.script(stream(frames.connected(0)));
    await show({});
    await page.shows('ready');
    close();
    await page.shows('waiting');
    expect(page.errors).toEqual([]);
  });

  it('waits where the client is closed already', async () => {
    const client = new RealtimeClient({ endpoint: server.scripted, workspace: 'a', token: 't1' });
    client.close();
    await page.render(
      <RealtimeProvider client={client}>
        <Orders />
      </RealtimeProvider>,
    );
    await page.shows('waiting');
    await page.unmount();
    expect(page.errors).toEqual([]);
  });

  it('throws what the client says of its options', async () => {
    await show({ topics: [] });
    await page.until(({ errors }) => errors.length > 0);
    expect(String(page.errors[0])).toMatch(/^TypeError: "topics" must be/);
  });

  function Kept(): ReactNode {
    return words(useSubscription({ onEvent: seen.onEvent }));
  }
});

/** Tells that the effects of a render have run, those of the components before it among them. */
function Ran({ then }: { then: () => void }): ReactNode {
  useEffect(then, [then]);
  return null;
}

function words({ isReady, error }: SubscriptionSnapshot): string {
  if (error !== null) return `${error.code}, ${error.willRetry ? 'retries' : 'fails'}`;
  return isReady ? 'ready' : 'waiting';
}

/** A stream that goes on as the test says. */
function liveStream(...text: string[]): {
  readonly fault: Fault;
  write(text: string): void;
  cut(): void;
} {
  let open: ServerResponse | null = null;
  const begin = stream(...text);
  return {
    fault: (response, request) => {
      open = response;
      begin(response, request);
    },
    write: (more) => void open?.write(more),
    cut: () => void open?.destroy(),
  };
}
