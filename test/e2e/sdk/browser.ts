import { type BrowserName, launchBrowser } from '../../support/browsers.js';
import { describeSuite, type Suite } from './describe-suite.js';
import { openPageEnvironment, type PageEnvironment } from './page-environment.js';

/** The suite in a page of this browser. */
export function describeBrowser(
  name: BrowserName,
  path: string,
  more?: (suite: () => Suite<PageEnvironment>) => void,
): void {
  describeSuite<PageEnvironment>({
    place: 'page',
    start: async ({ origin }) => {
      const browser = await launchBrowser(name, path);
      return await openPageEnvironment(browser, origin);
    },
    ...(more !== undefined && { more }),
  });
}
