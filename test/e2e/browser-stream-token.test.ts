import { expect, it } from '@jest/globals';
import { eventsPath, type Problem, type RealtimeEvent, streamTokensPath } from '@sluice/protocol';
import { launchBrowser } from '../support/browsers.js';
import { startPlayground, WORKSPACE } from '../support/playground.js';
import { listen } from '../support/test-service.js';
import { describeWith } from '../support/tools.js';

const PAGE = '<!doctype html><title>page</title>';

/** What a page saw of an EventSource: the first event of it, or that it was closed for good. */
type Seen = { readonly event: string; readonly data: string } | 'closed';

describeWith('chromium', 'a page of a listed origin in Chromium', (path) => {
  it('gets a stream token by fetch, and opens one EventSource with it', async () => {
    await using pages = await listen((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
    });
    const origin = `http://127.0.0.1:${pages.port}`;
    await using playground = await startPlayground({ env: { ALLOWED_ORIGINS: origin } });
    const { service, issuer } = playground;
    const accessToken = issuer.mint({ permissions: ['realtime:subscribe'] });
    const eventsUrl = service.url + eventsPath(WORKSPACE);
    const tokensUrl = service.url + streamTokensPath(WORKSPACE);
    await using browser = await launchBrowser('chromium', path);
    const page = await browser.open(origin);

    const issued = await page.evaluate(fetchInPage, { url: tokensUrl, accessToken });
    expect(issued.status).toBe(201);
    const { streamToken } = JSON.parse(issued.body) as { streamToken: string };

    const url = `${eventsUrl}?stream_token=${streamToken}`;
    const connected = await page.evaluate(openInPage, { url, name: 'stream.connected' });
    expect(connected).toMatchObject({ event: 'stream.connected' });
    await playground.publish([{ topic: 'orders', type: 'order.created', data: { n: 7 } }]);
    expect(JSON.parse(await page.evaluate(messageInPage)) as RealtimeEvent).toMatchObject({
      topic: 'orders',
      data: { n: 7 },
    });

    // The same address a second time: refused, which an EventSource sees as its end.
    expect(await page.evaluate(openInPage, { url, name: 'stream.connected' })).toBe('closed');
    const told = (await page.evaluate(openInPage, {
      url: `${url}&errors=stream`,
      name: 'stream.error',
    })) as Exclude<Seen, 'closed'>;
    expect(JSON.parse(told.data) as Problem).toMatchObject({ code: 'INVALID_TOKEN' });
  }, 60_000);

  it('cannot use the stream token of another page, and leaves it useless', async () => {
    await using pages = await listen((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
    });
    const origin = `http://127.0.0.1:${pages.port}`;
    const otherOrigin = `http://localhost:${pages.port}`;
    await using playground = await startPlayground({
      env: { ALLOWED_ORIGINS: `${origin},${otherOrigin}` },
    });
    const { service, token } = playground;
    await using browser = await launchBrowser('chromium', path);
    const page = await browser.open(origin);
    const otherPage = await browser.open(otherOrigin);
    const { body } = await page.evaluate(fetchInPage, {
      url: service.url + streamTokensPath(WORKSPACE),
      accessToken: token,
    });
    const { streamToken } = JSON.parse(body) as { streamToken: string };
    const open = {
      url: `${service.url}${eventsPath(WORKSPACE)}?stream_token=${streamToken}`,
      name: 'stream.connected',
    };
    expect(await otherPage.evaluate(openInPage, open)).toBe('closed');
    expect(await page.evaluate(openInPage, open)).toBe('closed');
  }, 60_000);
});

// These run in the page: they see nothing of this file.

async function fetchInPage({ url, accessToken }: { url: string; accessToken: string }) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${accessToken}` },
  });
  return { status: response.status, body: await response.text() };
}

/** Opens an EventSource, and keeps the first message that comes for `messageInPage`. */
function openInPage({ url, name }: { url: string; name: string }): Promise<Seen> {
  const source = new globalThis.EventSource(url);
  const message = new Promise<string>((resolve) => {
    source.onmessage = ({ data }: MessageEvent<string>) => resolve(data);
  });
  return new Promise<Seen>((resolve) => {
    source.addEventListener(name, (event) => {
      Object.assign(globalThis, { message });
      resolve({ event: name, data: (event as MessageEvent<string>).data });
    });
    source.onerror = () => {
      if (source.readyState === source.CLOSED) resolve('closed');
    };
  });
}

function messageInPage(): Promise<string> {
  return (globalThis as unknown as { message: Promise<string> }).message;
}
