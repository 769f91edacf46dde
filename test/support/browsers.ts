import puppeteer, { type LaunchOptions, type Page } from 'puppeteer-core';

export type BrowserName = 'chromium' | 'firefox';

/** A browser without a window. Use it with `await using`. */
export interface TestBrowser extends AsyncDisposable {
  /** Opens a page at an address, with nothing shared with other pages. */
  open(url: string): Promise<Page>;
}

const CHROMIUM_ARGUMENTS = [
  // Chromium refuses to be sandboxed as root, which is who runs the tests in most containers.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--disable-component-update',
];

const LAUNCH_OPTIONS: Record<BrowserName, LaunchOptions> = {
  chromium: { browser: 'chrome', args: CHROMIUM_ARGUMENTS },
  firefox: { browser: 'firefox' },
};

/** @param path of the program, as `describeWith(name, …)` gives it. */
export async function launchBrowser(name: BrowserName, path: string): Promise<TestBrowser> {
  const browser = await puppeteer.launch({ ...LAUNCH_OPTIONS[name], executablePath: path });
  return {
    open: async (url) => {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      await page.goto(url);
      return page;
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
