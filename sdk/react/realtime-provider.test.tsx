import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type AuthEndpoint, RealtimeClient } from '@sluice/sdk';
import {
  RealtimeProvider,
  type RealtimeProviderProps,
  useConnection,
  useRealtime,
  useSubscription,
} from '@sluice/sdk/react';
import { Activity, type ReactNode, StrictMode, Suspense, use, useEffect, useState } from 'react';
import {
  type Fault,
  FaultServer,
  frames,
  refusal,
  stream,
  tokenAnswer,
} from '../../test/support/fault-server.js';
import { ReactPage } from '../../test/support/react-page.js';

const LET_IN = stream(frames.connected(0));

describe('RealtimeProvider', () => {
  let server: FaultServer;
  let page: ReactPage;
  /** The clients that components have seen, in order, each once. */
  let clients: RealtimeClient[];

  beforeEach(async () => {
    server = await FaultServer.start();
    page = new ReactPage();
    clients = [];
  });
  afterEach(async () => {
    await page[Symbol.asyncDispose]();
    await server.close();
  });

  function Provider({ children, ...props }: Partial<RealtimeProviderProps>): ReactNode {
    const whole = { endpoint: server.scripted, workspaceId: 'acme', authToken: 't1', ...props };
    return <RealtimeProvider {...(whole as RealtimeProviderProps)}>{children}</RealtimeProvider>;
  }

  /** Subscribes, and shows the state of the connection. */
  function Orders(): ReactNode {
    const client = useRealtime();
    const { state } = useConnection();
    useSubscription({ topics: ['orders'] });
    useEffect(() => {
      if (client !== null && !clients.includes(client)) clients.push(client);
    }, [client]);
    return state;
  }

  const tokens = (): unknown[] => server.requests.map(({ headers }) => headers.authorization);
  const opened = async (...faults: Fault[]): Promise<void> => {
    server.script(...faults);
    await page.render(
      <Provider>
        <Orders />
      </Provider>,
    );
    await page.shows('connected');
  };

  it('gives all its components one stream, and closes it when it is unmounted', async () => {
    server.script(LET_IN, LET_IN);
    await page.render(
      <Provider>
        <Orders />
        <Orders />
      </Provider>,
    );
    await page.shows('connectedconnected');
    await page.unmount();
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(1);
    expect(clients).toMatchObject([{ state: 'closed' }]);
  });

  it('opens one stream in Strict Mode, and leaves none', async () => {
    server.script(LET_IN, LET_IN);
    await page.render(
      <StrictMode>
        <Provider>
          <Orders />
        </Provider>
      </StrictMode>,
    );
    await page.shows('connected');
    await page.unmount();
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(1);
    expect(clients).toMatchObject([{ state: 'closed' }]);
  });

  it('makes nothing in a render that is never committed', async () => {
    const { signal } = new AbortController();
    const listened = jest.spyOn(signal, 'addEventListener');
    let arrive = (): void => {};
    const data = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const Page = (): ReactNode => {
      use(data);
      return <Orders />;
    };
    server.script(LET_IN, LET_IN);
    await page.render(
      <Suspense fallback="waiting">
        <Provider signal={signal}>
          <Page />
        </Provider>
      </Suspense>,
    );
    await page.shows('waiting');
    // A client listens to its signal from when it is made.
    expect(listened).not.toHaveBeenCalled();
    arrive();
    await page.shows('connected');
    expect(listened).toHaveBeenCalledTimes(1);
    expect(server.requests).toHaveLength(1);
  });

  it('keeps its stream while the components within it are made anew', async () => {
    server.script(LET_IN, LET_IN);
    const show = (version: number) =>
      page.render(
        <Provider>
          <Orders key={version} />
          <i>{version}</i>
        </Provider>,
      );
    await show(1);
    await page.shows('connected1');
    await show(2);
    await page.shows('connected2');
    await page.unmount();
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(1);
  });

  it('has a closed stream while it is hidden, and one of a new client when it is shown again', async () => {
    server.script(LET_IN, LET_IN, LET_IN);
    const show = (mode: 'visible' | 'hidden') =>
      page.render(
        <Activity mode={mode}>
          <Provider>
            <Orders />
          </Provider>
        </Activity>,
      );
    await show('visible');
    await page.shows('connected');
    await show('hidden');
    await (await server.request(1)).over;
    await show('visible');
    await server.request(2);
    await page.until(() => clients.length === 2 && clients[1]?.state === 'connected');
    expect(clients[0]?.state).toBe('closed');
    await page.unmount();
    await (await server.request(2)).over;
    expect(server.requests).toHaveLength(2);
  });

  it('keeps its client when options are written in place', async () => {
    server.script(LET_IN, LET_IN);
    const show = (version: number) =>
      page.render(
        <Provider
          backoff={{ baseMs: 100, ceilMs: 200 }}
          onError={version === 2 ? undefined : () => {}}
          fetch={(url, init) => fetch(url, init)}
        >
          <Orders />
          <i>{version}</i>
        </Provider>,
      );
    await show(1);
    await page.shows('connected1');
    await show(2);
    await page.shows('connected2');
    await show(3);
    await page.shows('connected3');
    expect(clients).toHaveLength(1);
    expect(server.requests).toHaveLength(1);
  });

  it('makes another client when an option changes that a client keeps', async () => {
    await opened(LET_IN, LET_IN);
    await page.render(
      <Provider backoff={{ baseMs: 1 }}>
        <Orders />
      </Provider>,
    );
    await page.until(() => clients.length === 2 && clients[1]?.state === 'connected');
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(2);
  });

  it('goes on with a changed token, without another client and without a change of state', async () => {
    await opened(LET_IN, LET_IN);
    const states: string[] = [];
    clients[0]?.onStateChange((state) => states.push(state));
    await page.render(
      <Provider authToken="t2">
        <Orders />
      </Provider>,
    );
    await (await server.request(1)).over;
    expect(tokens()).toEqual(['Bearer t1', 'Bearer t2']);
    expect(clients).toMatchObject([{ state: 'connected' }]);
    expect(states).toEqual([]);
  });

  it('takes a changed token out of a failure', async () => {
    server.script(refusal('TOKEN_EXPIRED', 401), LET_IN);
    const show = (authToken: string) =>
      page.render(
        <Provider authToken={authToken}>
          <Orders />
        </Provider>,
      );
    await show('t1');
    await page.shows('failed');
    await show('t2');
    await page.shows('connected');
    expect(tokens()).toEqual(['Bearer t1', 'Bearer t2']);
  });

  it('moves to a changed endpoint, with the token that came along', async () => {
    await opened(LET_IN);
    await page.render(
      <Provider endpoint={server.endpoint('stall')} authToken="t2">
        <Orders />
      </Provider>,
    );
    await (await server.request(1)).over;
    expect(server.requests[1]?.url).toMatch(/^\/stall\//);
    expect(tokens()).toEqual(['Bearer t1', 'Bearer t2']);
    expect(clients).toHaveLength(1);
  });

  it('has another client for another workspace, and one stream', async () => {
    await opened(LET_IN, LET_IN);
    await page.render(
      <Provider workspaceId="other">
        <Orders />
      </Provider>,
    );
    await (await server.request(1)).over;
    await page.until(() => clients.length === 2 && clients[1]?.state === 'connected');
    expect(clients[0]?.state).toBe('closed');
    expect(server.requests[1]?.url).toMatch(/workspace\/other/);
  });

  it('asks the function of the last render for tokens', async () => {
    server.script(LET_IN);
    const show = (version: number, children: ReactNode) =>
      page.render(
        <Provider authToken={() => `t${version}`}>
          {children}
          <i>{version}</i>
        </Provider>,
      );
    await show(1, null);
    await page.shows('1');
    await show(2, <Orders />);
    await page.shows('connected2');
    expect(tokens()).toEqual(['Bearer t2']);
  });

  it('reads headers and parameters of its backend that are written in place when they are needed', async () => {
    server.script(tokenAnswer('t1', 3600), LET_IN);
    const show = (version: number, children: ReactNode) =>
      page.render(
        <RealtimeProvider
          endpoint={server.scripted}
          workspaceId="acme"
          authEndpoint={server.scripted}
          authHeaders={{ 'x-version': String(version) }}
          authParams={() => ({ version })}
        >
          {children}
          <i>{version}</i>
        </RealtimeProvider>,
      );
    await show(1, null);
    await page.shows('1');
    await show(2, <Orders />);
    await page.shows('connected2');
    expect(server.requests[0]).toMatchObject({
      headers: { 'x-version': '2' },
      body: '{"version":2}',
    });
    expect(clients).toHaveLength(1);
  });

  it('keeps its client where what its backend is told comes and goes', async () => {
    const streams: ServerResponse[] = [];
    const letIn: Fault = (response, request) => {
      streams.push(response);
      LET_IN(response, request);
    };
    server.script(tokenAnswer('t1'), letIn, tokenAnswer('t2'), LET_IN);
    const show = (version: number, told: Pick<AuthEndpoint, 'authHeaders' | 'authParams'>) =>
      page.render(
        <RealtimeProvider
          endpoint={server.scripted}
          workspaceId="acme"
          authEndpoint={server.scripted}
          {...told}
        >
          <Orders />
          <i>{version}</i>
        </RealtimeProvider>,
      );
    await show(1, { authHeaders: undefined });
    await page.shows('connected1');
    await show(2, { authHeaders: { 'x-version': '2' }, authParams: { version: 2 } });
    await page.shows('connected2');
    streams[0]?.write(frames.error('TOKEN_EXPIRED'));
    expect(await server.request(3)).toMatchObject({
      headers: { 'x-version': '2' },
      body: '{"version":2}',
    });
    await server.request(4);
    await show(3, {});
    await page.shows('connected3');
    expect(clients).toHaveLength(1);
    expect(server.requests).toHaveLength(4);
  });

  it('has another client for another signal, and none in place of one that was closed', async () => {
    server.script(LET_IN, LET_IN);
    const [first, second] = [new AbortController(), new AbortController()];
    const show = ({ signal }: AbortController, extra = '') =>
      page.render(
        <Provider signal={signal}>
          <Orders />
          {extra}
        </Provider>,
      );
    await show(first);
    await page.shows('connected');
    first.abort();
    await page.shows('closed');
    await show(first, '!');
    await page.shows('closed!');
    await show(second);
    await page.shows('connected');
    expect(clients).toMatchObject([{ state: 'closed' }, { state: 'connected' }]);
  });

  it('waits while nobody is signed in, and connects and disconnects with the token', async () => {
    server.script(LET_IN);
    const show = (authToken: string | null | undefined) =>
      page.render(
        <Provider authToken={authToken}>
          <Orders />
        </Provider>,
      );
    await show(undefined);
    await page.shows('idle');
    expect(clients).toEqual([]);
    await show('t1');
    await page.shows('connected');
    await show(null);
    await page.shows('idle');
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(1);
  });

  it('never closes a client that it was given', async () => {
    server.script(LET_IN);
    const { signal } = new AbortController();
    const client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      token: 't1',
      signal,
    });
    await page.render(
      <StrictMode>
        <RealtimeProvider client={client}>
          <Orders />
        </RealtimeProvider>
      </StrictMode>,
    );
    await page.shows('connected');
    await page.unmount();
    await (await server.request(1)).over;
    expect(client.state).toBe('idle');
    expect(server.requests).toHaveLength(1);
    client.close();
  });

  it('takes options of nothing beside a client', async () => {
    await page.render(
      <RealtimeProvider client={null} workspaceId={undefined} endpoint={undefined}>
        <Orders />
      </RealtimeProvider>,
    );
    await page.shows('idle');
    expect(page.errors).toEqual([]);
  });

  it('waits for a client that is still to be given', async () => {
    await page.render(
      <RealtimeProvider client={null}>
        <Orders />
      </RealtimeProvider>,
    );
    await page.shows('idle');
    expect(page.errors).toEqual([]);
  });

  it('refuses a client and options at once', async () => {
    const client = new RealtimeClient({ endpoint: server.scripted, workspace: 'a', token: 't1' });
    await page.render(
      <Provider {...({ client } as Partial<RealtimeProviderProps>)}>
        <Orders />
      </Provider>,
    );
    await page.until(({ errors }) => errors.length > 0);
    expect(String(page.errors[0])).toMatch(
      /^TypeError: "client" and "endpoint" exclude each other/,
    );
  });

  it('calls an endpoint that is wrong later by its name', async () => {
    await opened(LET_IN);
    await page.render(
      <Provider endpoint="nowhere">
        <Orders />
      </Provider>,
    );
    await page.until(({ errors }) => errors.length > 0);
    expect(String(page.errors[0])).toMatch(/^TypeError: "endpoint" must be/);
  });

  it('throws what the client says of its options, without the token', async () => {
    await page.render(<Provider authToken="not a token" />);
    await page.until(({ errors }) => errors.length > 0);
    expect(page.errors[0]).toBeInstanceOf(TypeError);
    expect(String(page.errors[0])).not.toContain('not a token');
  });

  it('takes one way of getting a token, by its types', () => {
    const place = { endpoint: 'https://events.example.com', workspaceId: 'acme' };
    const client = null as RealtimeClient | null;
    const both = { authToken: 't1', getToken: () => 't2' };
    const elements = [
      <RealtimeProvider key="1" {...place} authToken={undefined} />,
      <RealtimeProvider key="2" {...place} onAuthFailure={() => 't2'} token="t1" />,
      <RealtimeProvider key="3" client={client} />,
      // @ts-expect-error There is no way.
      <RealtimeProvider key="4" {...place} />,
      // @ts-expect-error There are two.
      <RealtimeProvider key="5" {...place} {...both} />,
      // @ts-expect-error A client has its options.
      <RealtimeProvider key="6" client={client} {...place} authToken="t1" />,
      // @ts-expect-error It is a token's job to be missing, not a workspace's.
      <RealtimeProvider key="7" endpoint="https://events.example.com" authToken="t1" />,
    ];
    expect(elements).toHaveLength(7);
  });

  it('is missed by a hook that is used outside of it', async () => {
    await page.render(<Orders />);
    await page.until(({ errors }) => errors.length > 0);
    expect(String(page.errors[0])).toMatch(/must be within a <RealtimeProvider>/);
  });

  it('tells of the error with the state that it led to', async () => {
    server.script(refusal('FORBIDDEN', 403), LET_IN);
    const shown: string[] = [];
    const Status = (): ReactNode => {
      const { state, error } = useConnection();
      const text = `${state} ${error?.code ?? '-'}`;
      if (shown.at(-1) !== text) shown.push(text);
      const client = useRealtime();
      useSubscription({});
      return (
        <button type="button" onClick={() => client?.reconnect()}>
          {text}
        </button>
      );
    };
    await page.render(
      <Provider>
        <Status />
      </Provider>,
    );
    await page.shows('failed FORBIDDEN');
    page.click('button');
    await page.shows('connected -');
    expect(shown).not.toContain('failed -');
  });

  it('renders nobody anew who asks for the client alone', async () => {
    let renders = 0;
    const Silent = (): ReactNode => {
      useRealtime();
      renders++;
      return null;
    };
    const Late = (): ReactNode => {
      const [isShown, show] = useState(false);
      useEffect(() => show(true), []);
      return isShown && <Orders />;
    };
    server.script(LET_IN);
    await page.render(
      <Provider>
        <Silent />
        <Late />
      </Provider>,
    );
    await page.shows('connected');
    // Without a client, and with it.
    expect(renders).toBe(2);
  });
});
