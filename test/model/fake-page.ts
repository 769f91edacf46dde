type Listener = (event: Event) => void;

/** The things of a page that a client may listen to or look at. */
const GLOBALS = ['addEventListener', 'removeEventListener', 'document', 'navigator'] as const;

/** Listeners by type, as a window and a document have them. */
class FakeTarget {
  readonly listeners = new Set<string>();
  readonly #target = new EventTarget();
  readonly #names = new Map<Listener, number>();

  readonly addEventListener = (type: string, listener: Listener): void => {
    this.listeners.add(this.#key(type, listener));
    this.#target.addEventListener(type, listener);
  };

  readonly removeEventListener = (type: string, listener: Listener): void => {
    this.listeners.delete(this.#key(type, listener));
    this.#target.removeEventListener(type, listener);
  };

  dispatch(type: string, fields: object = {}): void {
    this.#target.dispatchEvent(Object.assign(new Event(type), fields));
  }

  #key(type: string, listener: Listener): string {
    const known = this.#names.get(listener) ?? this.#names.size;
    this.#names.set(listener, known);
    return `${type} ${known}`;
  }
}

/** A page around the client: put on the globals by `install`, taken off by `remove`. */
export class FakePage {
  readonly #window = new FakeTarget();
  readonly #document = Object.assign(new FakeTarget(), { hidden: false });
  readonly #navigator = { onLine: true };
  readonly #replaced = new Map<string, PropertyDescriptor | undefined>();
  /** How often a global of the page was looked at. */
  looks = 0;

  install(): void {
    const page = {
      addEventListener: this.#window.addEventListener,
      removeEventListener: this.#window.removeEventListener,
      document: this.#document,
      navigator: this.#navigator,
    };
    for (const name of GLOBALS) {
      this.#replaced.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
      const get = (): unknown => {
        this.looks++;
        return page[name];
      };
      Object.defineProperty(globalThis, name, { configurable: true, get });
    }
  }

  remove(): void {
    for (const [name, descriptor] of this.#replaced) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    }
  }

  /** Types that somebody listens to, on the window and on the document. */
  get listeners(): readonly string[] {
    return [...this.#window.listeners, ...this.#document.listeners].map(
      (key) => key.split(' ')[0] as string,
    );
  }

  get isOffline(): boolean {
    return !this.#navigator.onLine;
  }

  goOffline(): void {
    this.#navigator.onLine = false;
    this.#window.dispatch('offline');
  }

  goOnline(): void {
    this.#navigator.onLine = true;
    this.#window.dispatch('online');
  }

  hide(): void {
    this.#document.hidden = true;
    this.#document.dispatch('visibilitychange');
  }

  show(): void {
    this.#document.hidden = false;
    this.#document.dispatch('visibilitychange');
  }

  /** Into the back/forward cache, or for good. */
  putAway(persisted = true): void {
    this.#window.dispatch('pagehide', { persisted });
  }

  bringBack(): void {
    this.#window.dispatch('pageshow', { persisted: true });
  }

  freeze(): void {
    this.#document.dispatch('freeze');
  }

  resume(): void {
    this.#document.dispatch('resume');
  }
}
