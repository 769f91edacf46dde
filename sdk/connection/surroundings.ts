/** Who hears of what happens around a client. */
export interface SurroundingsListener {
  /** @param isNetworkNew whether the machine has a network again, perhaps another one */
  wake(isNetworkNew: boolean): void;
  suspend(): void;
}

/** What the SDK needs of the page, or of whatever else it runs in. Absent members are of no use to it. */
interface Target {
  addEventListener?(type: string, listener: (event: Event) => void): void;
  removeEventListener?(type: string, listener: (event: Event) => void): void;
}

/**
 * The page and the machine around a client: network up and down, page hidden and shown, put into the back/forward cache
 * or frozen, and taken out of it. Where there is no page (Node, a worker) what is missing stays silent.
 */
export class Surroundings {
  readonly #listener: SurroundingsListener;
  readonly #suspendsWhenHidden: boolean;
  #isWatching = false;

  constructor(listener: SurroundingsListener, suspendsWhenHidden: boolean) {
    this.#listener = listener;
    this.#suspendsWhenHidden = suspendsWhenHidden;
  }

  watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#each((target, type, listener) => target.addEventListener?.(type, listener));
  }

  unwatch(): void {
    this.#isWatching = false;
    this.#each((target, type, listener) => target.removeEventListener?.(type, listener));
  }

  #each(change: (target: Target, type: string, listener: (event: Event) => void) => void): void {
    const page: Target = globalThis as Target;
    const view: Target | undefined = globalThis.document;
    change(page, 'online', this.#onOnline);
    change(page, 'pagehide', this.#onPageHide);
    change(page, 'pageshow', this.#onShown);
    if (view === undefined) return;
    change(view, 'freeze', this.#onFreeze);
    change(view, 'resume', this.#onShown);
    change(view, 'visibilitychange', this.#onVisibility);
  }

  readonly #onOnline = (): void => this.#listener.wake(true);
  readonly #onShown = (): void => this.#listener.wake(false);
  readonly #onFreeze = (): void => this.#listener.suspend();
  // A page with an open connection is not kept in the back/forward cache, or is kept with a dead one.
  readonly #onPageHide = (event: Event): void => {
    if ((event as PageTransitionEvent).persisted) this.#listener.suspend();
  };
  readonly #onVisibility = (): void => {
    if (!globalThis.document.hidden) this.#listener.wake(false);
    else if (this.#suspendsWhenHidden) this.#listener.suspend();
  };
}

/** Whether the machine says that it has no network. What cannot tell (Node) has one. */
export function isOffline(): boolean {
  return globalThis.navigator?.onLine === false;
}
