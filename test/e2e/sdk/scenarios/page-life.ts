import { countsTo, equal } from '../checks.js';
import type { Scenario, Stage } from '../scenario.js';

/** A pause that no scenario waits out: whoever comes back before it was woken. */
const LONG_PAUSE_MS = 120_000;

export const PAGE_LIFE: readonly Scenario[] = [
  {
    name: 'waits while the page is offline, and is woken when it is online again',
    place: 'page',
    isSolo: true,
    async play(stage) {
      const { client, subscribe, control } = stage;
      const token = await control.token();
      const backoff = { baseMs: LONG_PAUSE_MS, ceilMs: LONG_PAUSE_MS };
      const diary = subscribe(client({ token, backoff }));
      await diary.subscription.ready;
      await control.setOffline(true);
      try {
        await control.cut();
        await diary.until('it is suspended', ({ states }) => states.at(-1) === 'suspended');
        await control.publish(1, 5);
      } finally {
        await control.setOffline(false);
      }
      await diary.until('it has caught up', ({ events }) => events.length === 5);
      countsTo(5, diary.numbers);
      equal(diary.states.at(-1), 'connected', 'the state');
    },
  },
  {
    name: 'closes its stream while the page is hidden, if it is told to',
    place: 'page',
    isSolo: true,
    play: (stage) =>
      isPutAway(
        stage,
        () => setHidden(true),
        () => setHidden(false),
      ),
  },
  {
    name: 'closes its stream while the page is put away',
    place: 'page',
    isSolo: true,
    play: (stage) =>
      isPutAway(
        stage,
        () => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })),
        () => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })),
      ),
  },
  {
    name: 'closes its stream while the page is frozen',
    place: 'page',
    isSolo: true,
    play: (stage) =>
      isPutAway(
        stage,
        () => document.dispatchEvent(new Event('freeze')),
        () => document.dispatchEvent(new Event('resume')),
      ),
  },
];

async function isPutAway(stage: Stage, putAway: () => void, takeOut: () => void): Promise<void> {
  const { client, subscribe, control } = stage;
  const diary = subscribe(client({ token: await control.token(), suspendWhenHidden: true }));
  await diary.subscription.ready;
  await control.publish(1, 3);
  await diary.until('3 events came', ({ events }) => events.length === 3);
  putAway();
  try {
    await diary.until('it is suspended', ({ states }) => states.at(-1) === 'suspended');
    await control.streams({ opened: 1, open: 0 });
    await control.publish(4, 8);
  } finally {
    takeOut();
  }
  await diary.until('it has caught up', ({ events }) => events.length >= 8);
  countsTo(8, diary.numbers);
  equal(diary.disconnected, [true], 'the disconnections');
  equal(diary.connected[1]?.resumed, 'complete', 'how it was let in again');
}

/** As if the user had taken another tab to the front: what the browser says of it, and its event. */
function setHidden(isHidden: boolean): void {
  if (isHidden) Object.defineProperty(document, 'hidden', { value: true, configurable: true });
  else Reflect.deleteProperty(document, 'hidden');
  document.dispatchEvent(new Event('visibilitychange'));
}
