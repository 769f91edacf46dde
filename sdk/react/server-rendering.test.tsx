import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeProvider, useConnection, useRealtime, useSubscription } from '@sluice/sdk/react';
import type { ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { FaultServer, frames, stream } from '../../test/support/fault-server.js';
import { ReactPage } from '../../test/support/react-page.js';

describe('rendering on the server', () => {
  let server: FaultServer;

  beforeEach(async () => {
    server = await FaultServer.start();
  });
  afterEach(() => server.close());

  function Orders(): ReactNode {
    const { state } = useConnection();
    const { isReady } = useSubscription({ topics: ['orders'] });
    const hasClient = useRealtime() !== null;
    return <p>{JSON.stringify({ state, isReady, hasClient })}</p>;
  }

  const app = (options: { signal?: AbortSignal } = {}): ReactNode => (
    <RealtimeProvider
      endpoint={server.scripted}
      workspaceId="acme"
      authToken={() => 't1'}
      {...options}
    >
      <Orders />
    </RealtimeProvider>
  );
  const told = (fields: object): string => JSON.stringify(fields);

  it('shows an idle connection, and makes no client', () => {
    const { signal } = new AbortController();
    const listened = jest.spyOn(signal, 'addEventListener');
    const html = renderToString(app({ signal }));
    expect(html).toContain('&quot;idle&quot;');
    expect(html).toContain('&quot;isReady&quot;:false,&quot;hasClient&quot;:false');
    expect(listened).not.toHaveBeenCalled();
  });

  it('is taken over in the page as it was sent, and connects there once', async () => {
    const html = renderToString(app());
    await using page = new ReactPage();
    server.script(stream(frames.connected(0)), stream(frames.connected(0)));
    await page.hydrate(html, app());
    await page.shows(told({ state: 'connected', isReady: true, hasClient: true }));
    expect(page.errors).toEqual([]);
    await page.unmount();
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(1);
  });
});
