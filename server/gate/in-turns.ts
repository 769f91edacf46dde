/** How long one turn of the event loop may be held. */
const TURN_MS = 5;

/** Visits each of them, a few milliseconds at a time with a turn of the event loop between. */
export async function inTurns<Item>(
  items: Iterable<Item>,
  visit: (item: Item) => void,
): Promise<void> {
  let turnEndsAt = performance.now() + TURN_MS;
  for (const item of items) {
    if (performance.now() >= turnEndsAt) {
      await new Promise(setImmediate);
      turnEndsAt = performance.now() + TURN_MS;
    }
    visit(item);
  }
}
