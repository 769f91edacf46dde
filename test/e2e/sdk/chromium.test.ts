import { expect, it } from '@jest/globals';
import type { RealtimeClientOptions } from '@sluice/sdk';
import { describeWith } from '../../support/tools.js';
import { describeBrowser } from './browser.js';
import type { SuiteWindow } from './in-page.js';

describeWith('chromium', 'the SDK in Chromium', (path) => {
  describeBrowser('chromium', path, (suite) => {
    it('comes back from the back/forward cache without loss', async () => {
      const { harness, environment } = suite();
      const { page } = environment;
      await using stage = await harness.openStage('fetch');
      const { control, setting } = stage;
      const { endpoint, workspace } = setting;
      const token = await control.token();
      await page.evaluate(subscribeInPage, { endpoint, workspace, token });
      await control.publish(1, 3);
      await page.evaluate(countInPage, 3);

      await page.goto(`${harness.origin}/elsewhere`);
      await control.streams({ opened: 1, open: 0 });
      await control.publish(4, 8);
      await page.goBack();
      expect(await page.evaluate(countInPage, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      expect(await page.evaluate(statesInPage)).toEqual([
        'authorizing',
        'connecting',
        'connected',
        'suspended',
        'authorizing',
        'connecting',
        'connected',
      ]);
    }, 30_000);
  });
});

/** What the page keeps while it is put away: only the page that was kept whole still has it afterwards. */
interface KeptWindow extends SuiteWindow {
  numbers: unknown[];
  states: string[];
  onNumber: () => void;
}

// These run in the page: they see nothing of this file.

async function subscribeInPage(
  options: Pick<RealtimeClientOptions, 'endpoint' | 'workspace' | 'token'>,
): Promise<void> {
  const kept = globalThis as unknown as KeptWindow;
  Object.assign(kept, { numbers: [], states: [], onNumber: () => {} });
  const client = new kept.RealtimeClient(options as RealtimeClientOptions);
  client.onStateChange((state) => kept.states.push(state));
  const subscription = client.subscribe({
    onEvent: ({ data }) => {
      kept.numbers.push((data as { readonly n: number }).n);
      kept.onNumber();
    },
  });
  await subscription.ready;
}

/** Resolves to all numbers, once there are `count`. */
function countInPage(count: number): Promise<unknown[]> {
  const kept = globalThis as unknown as KeptWindow;
  return new Promise((resolve) => {
    kept.onNumber = () => {
      if (kept.numbers.length >= count) resolve(kept.numbers);
    };
    kept.onNumber();
  });
}

function statesInPage(): string[] {
  return (globalThis as unknown as KeptWindow).states;
}
