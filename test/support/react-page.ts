import { Window } from 'happy-dom';
import { createElement, type ReactNode, useEffect } from 'react';
import type { Root, RootOptions } from 'react-dom/client';
import { withResolvers } from './inbox.js';

/**
 * A page in this process, in which React renders as it does in a browser, without `act`: what the page shows is waited
 * for. `fetch` and the timers are those of Node. Use it with `await using`.
 */
export class ReactPage implements AsyncDisposable {
  /** What no error boundary took, and what a hydration did not find as it was sent. */
  readonly errors: unknown[] = [];
  readonly #container: Element;
  readonly #observer: MutationObserver;
  readonly #options: RootOptions = {
    onUncaughtError: (error) => this.#onError(error),
    onRecoverableError: (error) => this.#onError(error),
  };
  readonly #gone = withResolvers<void>();
  #root: Root | null = null;
  #wake: () => void = () => {};

  constructor() {
    installWindow();
    this.#container = document.createElement('div');
    document.body.append(this.#container);
    this.#observer = new window.MutationObserver(() => this.#wake());
    this.#observer.observe(this.#container, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  }

  get text(): string {
    return this.#container.textContent ?? '';
  }

  async render(node: ReactNode): Promise<void> {
    // React DOM looks for the globals of a browser when it is loaded.
    const { createRoot } = await import('react-dom/client');
    this.#root ??= createRoot(this.#container, this.#options);
    this.#root.render(this.#framed(node));
  }

  /** Takes over what a server has rendered. */
  async hydrate(html: string, node: ReactNode): Promise<void> {
    const { hydrateRoot } = await import('react-dom/client');
    this.#container.innerHTML = html;
    this.#root = hydrateRoot(this.#container, this.#framed(node), this.#options);
  }

  click(selector: string): void {
    this.#container.querySelector<HTMLElement>(selector)?.click();
  }

  /** Resolves once `condition` holds; looked at after each change of the page, and after each error. */
  async until(condition: (page: this) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  shows(text: string): Promise<void> {
    return this.until((page) => page.text === text);
  }

  /** Resolves when all effects have been undone. */
  async unmount(): Promise<void> {
    if (this.#root === null) return;
    this.#root.unmount();
    this.#root = null;
    // Where an error has unmounted it, that is long over.
    if (this.errors.length === 0) await this.#gone.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount();
    this.#observer.disconnect();
    this.#container.remove();
  }

  #framed(node: ReactNode): ReactNode {
    return createElement(Frame, { onGone: this.#gone.resolve }, node);
  }

  #onError(error: unknown): void {
    this.errors.push(error);
    this.#wake();
  }
}

/** Tells when the page has been unmounted: effects are undone some time after what they belong to is gone from sight. */
function Frame({ onGone, children }: { onGone: () => void; children?: ReactNode }): ReactNode {
  useEffect(() => onGone, [onGone]);
  return children;
}

/** What React DOM needs of a browser's globals, for as long as the test file runs: it never stops looking at them. */
function installWindow(): void {
  if (globalThis.window !== undefined) return;
  const window = new Window();
  const { document, navigator } = window;
  Object.assign(globalThis, { window, document, navigator });
}
