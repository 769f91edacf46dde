import type { Page } from 'puppeteer-core';
import type { TestBrowser } from '../../support/browsers.js';
import { answerCall } from './control.js';
import { type Environment, inTime } from './environment.js';
import type { SuiteWindow } from './in-page.js';
import type { Outcome, Setting } from './scenario.js';
import type { StageControl } from './stage-control.js';

export interface PageEnvironment extends Environment {
  readonly page: Page;
}

/** A page of `origin` with the scenarios in it, in a browser that is closed with it. */
export async function openPageEnvironment(
  browser: TestBrowser,
  origin: string,
): Promise<PageEnvironment> {
  const page = await browser.open(`${origin}/`);
  const controls = new Map<string, StageControl>();
  await page.exposeFunction(
    'callControl',
    async (workspace: string, method: string, args: string) => {
      try {
        const control = controls.get(workspace);
        if (control === undefined) throw new Error('this scenario is over');
        return JSON.stringify({ value: await answerCall(control, method, JSON.parse(args)) });
      } catch (error) {
        return JSON.stringify({ fault: String(error) });
      }
    },
  );
  return {
    page,
    complaints: () => page.evaluate(uncaughtInPage),
    play: async (name, setting, control) => {
      controls.set(setting.workspace, control);
      control.setOffline = (isOffline) => page.setOfflineMode(isOffline);
      const outcome = page.evaluate(playInPage, name, setting);
      const inAnyCase = outcome.catch((error: unknown) => ({ fault: String(error) }));
      try {
        return await inTime(inAnyCase);
      } finally {
        controls.delete(setting.workspace);
      }
    },
    [Symbol.asyncDispose]: () => browser[Symbol.asyncDispose](),
  };
}

// These run in the page: they see nothing of this file.

function playInPage(name: string, setting: Setting): Promise<Outcome> {
  return (globalThis as unknown as SuiteWindow).playScenario(name, setting);
}

function uncaughtInPage(): readonly string[] {
  return (globalThis as unknown as SuiteWindow).uncaught;
}
