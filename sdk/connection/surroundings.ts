/** Who hears of what happens around a client. */
export interface SurroundingsListener {
  /** The machine has a network again, perhaps another one. */
  onNetwork(): void;
  /** The page is put away. */
  suspend(): void;
  /** The page is shown. */
  resume(): void;
}

/** What the SDK needs of the page, or of whatever else it runs in. */
interface Target {
  addEventListener?(type: string, react: (event: Event) => void): void;
  removeEventListener?(type: string, react: (event: Event) => void): void;
}

/**
 * Tells `listener` of the page and the machine around it: network up and down, page hidden and shown, put into the
 * back/forward cache or frozen, and taken out of it. Where there is no page (Node, a worker) what is missing stays silent.
 * The function that it returns ends that.
 */
export function watchSurroundings(
  listener: SurroundingsListener,
  suspendsWhenHidden: boolean,
): () => void {
  const ends: (() => void)[] = [];
  const on = (target: Target | undefined, type: string, react: (event: Event) => void): void => {
    target?.addEventListener?.(type, react);
    ends.push(() => target?.removeEventListener?.(type, react));
  };
  const suspend = (): void => listener.suspend();
  const resume = (): void => listener.resume();
  const { document } = globalThis;
  on(globalThis, 'online', () => listener.onNetwork());
  // A page with an open connection is not kept in the back/forward cache, or is kept with a dead one.
  on(globalThis, 'pagehide', (event) => (event as PageTransitionEvent).persisted && suspend());
  on(globalThis, 'pageshow', resume);
  on(document, 'freeze', suspend);
  on(document, 'resume', resume);
  const onVisibility = (): void => {
    if (!document?.hidden) resume();
    else if (suspendsWhenHidden) suspend();
  };
  on(document, 'visibilitychange', onVisibility);
  // It may be hidden already.
  onVisibility();
  return () => {
    for (const end of ends) end();
  };
}

/** Whether the machine says that it has no network. What cannot tell (Node) has one. */
export function isOffline(): boolean {
  return globalThis.navigator?.onLine === false;
}
