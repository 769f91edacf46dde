import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { launchBrowser } from '../support/browsers.js';
import { freePort } from '../support/free-port.js';
import { publish } from '../support/playground.js';
import { runScript } from '../support/run-script.js';
import { Service } from '../support/service.js';
import { addServiceAccount, tokenOfAccount } from '../support/service-account.js';
import { describeWith } from '../support/tools.js';

const ACCOUNT = 'example';
const order = (n: number): object => ({ topic: 'orders', type: 'order.created', data: { n } });

it('the example in Node goes on where it stopped', async () => {
  await using service = await Service.start();
  const secret = await addServiceAccount(ACCOUNT, service);
  const { token } = await tokenOfAccount(ACCOUNT, secret, service);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-example-'));
  const env = {
    SLUICE_URL: service.url,
    SLUICE_CLIENT_ID: ACCOUNT,
    SLUICE_CLIENT_SECRET: secret,
    CURSOR_FILE: join(folder, 'cursor.txt'),
  };
  {
    await using example = runScript('examples/node/service-account.js', env);
    await example.lines.find((line) => line === 'connected');
    await publish(service.url, token, [order(1)]);
    await example.lines.find((line) => line === 'order.created {"n":1}');
    // The cursor of the first one is written before the second one is shown.
    await publish(service.url, token, [order(2)]);
    await example.lines.find((line) => line === 'order.created {"n":2}');
  }
  await publish(service.url, token, [order(3)]);
  await using example = runScript('examples/node/service-account.js', env);
  await example.lines.find((line) => line === 'order.created {"n":3}');
  expect(example.lines.items).not.toContain('order.created {"n":1}');
  await rm(folder, { recursive: true });
});

describeWith('chromium', 'the example in a plain page', (path) => {
  it('shows events', async () => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    await using service = await Service.start({ env: { ALLOWED_ORIGINS: origin } });
    const secret = await addServiceAccount(ACCOUNT, service);
    await using example = runScript('examples/browser/serve.js', {
      SLUICE_URL: service.url,
      DATA_DIR: service.dataDir,
      PORT: String(port),
    });
    await example.lines.find((line) => line.startsWith('The page is at'));
    await using browser = await launchBrowser('chromium', path);
    const page = await browser.open(origin);
    await page.waitForFunction(() => document.getElementById('state')?.textContent === 'connected');
    const { token } = await tokenOfAccount(ACCOUNT, secret, service);
    await publish(service.url, token, [order(1)]);
    const item = await page.waitForSelector('li');
    expect(await item?.evaluate((element) => element.textContent)).toBe(
      'orders order.created {"n":1}',
    );
  });
});
