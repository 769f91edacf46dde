import { expect, it } from '@jest/globals';
import { launchBrowser } from '../support/browsers.js';
import { freePort } from '../support/free-port.js';
import { publish } from '../support/playground.js';
import { runScript } from '../support/run-script.js';
import { Service } from '../support/service.js';
import { addServiceAccount, tokenOfAccount } from '../support/service-account.js';
import { describeWith } from '../support/tools.js';

const ACCOUNT = 'web';
const DEADLINE = { timeout: 10_000 };

describeWith('chromium', 'the example in React, in Chromium', (path) => {
  it('shows events, with one stream at a time and one token, in Strict Mode', async () => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    await using service = await Service.start({ env: { ALLOWED_ORIGINS: origin } });
    const secret = await addServiceAccount(ACCOUNT, service);
    await using example = runScript('examples/react/serve.js', {
      PORT: String(port),
      SLUICE_URL: service.url,
      DATA_DIR: service.dataDir,
    });
    await example.lines.find((line) => line.includes(origin));
    await using browser = await launchBrowser('chromium', path);

    const page = await browser.open('about:blank');
    const asked: string[] = [];
    const open = new Set<object>();
    page.on('request', (request) => {
      const { pathname, search } = new URL(request.url());
      if (request.method() === 'OPTIONS') return;
      if (pathname === '/realtime-token') asked.push('token');
      if (!pathname.endsWith('/events')) return;
      open.add(request);
      asked.push(`stream${search}`);
    });
    for (const end of ['requestfailed', 'requestfinished'] as const) {
      page.on(end, (request) => open.delete(request));
    }
    const faults: unknown[] = [];
    page.on('pageerror', (error) => faults.push(error));

    await page.goto(origin);
    await page.waitForSelector('section[aria-busy="false"]', DEADLINE);
    const { token } = await tokenOfAccount(ACCOUNT, secret, service);
    const order = (topic: string, n: number) => ({ topic, type: 'order.created', data: { n } });
    const texts = () => page.$$eval('li', (items) => items.map(({ textContent }) => textContent));

    await publish(service.url, token, [order('invoices', 0), order('orders', 1)]);
    await page.waitForSelector('li', DEADLINE);
    expect(await texts()).toEqual(['orders order.created {"n":1}']);
    expect(asked).toEqual(['token', 'stream?topics=orders']);

    // One more letter is another topic: another subscription in the same client.
    await page.type('input', '2');
    await page.waitForSelector('section[aria-busy="false"]', DEADLINE);
    await publish(service.url, token, [order('orders', 2), order('orders2', 3)]);
    await page.waitForSelector('li:nth-child(2)', DEADLINE);
    expect(await texts()).toEqual([
      'orders2 order.created {"n":3}',
      'orders order.created {"n":1}',
    ]);
    expect(asked.filter((what) => what === 'token')).toHaveLength(1);
    expect(open.size).toBe(1);
    expect(faults).toEqual([]);
  }, 60_000);
});
