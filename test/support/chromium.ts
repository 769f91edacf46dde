import { type Browser, chromium, type Page } from 'playwright-core';

/** A headless Chromium. Use it with `await using`. */
export interface Chromium extends AsyncDisposable {
  /** Opens a page at an address, with nothing shared with other pages. */
  open(url: string): Promise<Page>;
}

/** @param path of the program, as `describeWith('chromium', …)` gives it. */
export async function launchChromium(path: string): Promise<Chromium> {
  const browser: Browser = await chromium.launch({
    executablePath: path,
    headless: true,
    args: [
      // Chromium refuses to be sandboxed as root, which is who runs the tests in most containers.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return {
    open: async (url) => {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(url);
      return page;
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
