import { setTimeout as pause } from 'node:timers/promises';
import { SluiceError, spreadRetryMs } from '../errors.js';
import type { Follower, Gap } from './follower.js';
import type { History } from './history.js';
import type { Page } from './page.js';
import { TurnBudget } from './turn-budget.js';
import type { WorkspaceHub } from './workspace-hub.js';

/** Before history that could not be read is asked for again. */
const RETRY_MS = 500;
/** How often in a row history may fail to be read from a log that is there. */
const MAX_FAILURES = 10;

/** Walks streams through history until they have come so far that they can follow the tail with their group. */
export class CatchUp {
  private readonly budget = new TurnBudget();

  constructor(
    private readonly history: History,
    private readonly onGap: (gap: Gap) => void,
  ) {}

  /** Resolves when the stream has joined its group or is closed. Never rejects. */
  async run(hub: WorkspaceHub, follower: Follower): Promise<void> {
    let failures = 0;
    while (!follower.isClosed && !hub.join(follower)) {
      try {
        await this.step(hub, follower);
        failures = 0;
      } catch (error) {
        // While the log is away, nobody counts.
        if (this.history.isAvailable) failures++;
        if (!isUnavailable(error) || failures > MAX_FAILURES) endFor(follower, error);
        else await pause(spreadRetryMs(RETRY_MS), undefined, { ref: false });
      }
    }
  }

  private async step(hub: WorkspaceHub, follower: Follower): Promise<void> {
    await this.budget.turn();
    // Where the log was made anew, the socket may not have taken what came before.
    await follower.drained();
    if (follower.isClosed) return;
    const { generation } = hub;
    const page =
      hub.pageAfter(follower.cursor, follower.filter) ?? (await this.read(hub, follower));
    // Begun anew while it was read: the stream has another place by now.
    if (follower.isClosed || hub.generation !== generation) return;
    if (page.gap !== null) {
      this.onGap(page.gap);
      follower.tellGap(page.gap);
    }
    follower.cursor = page.end;
    follower.mark += page.frames.length;
    this.count(hub, page);
    if (page.frames.length > 0) follower.write(page.frames, page.events);
    await follower.drained();
  }

  private count({ deliveries }: WorkspaceHub, { frames, events }: Page): void {
    deliveries.events += events;
    deliveries.replayed += events;
    deliveries.bytes += frames.length;
  }

  private read(hub: WorkspaceHub, { cursor, filter }: Follower): Promise<Page> {
    return this.history.after({ workspace: hub.workspace, epoch: hub.epoch, cursor, filter });
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'UNAVAILABLE';
}

function endFor(follower: Follower, error: unknown): void {
  if (error instanceof SluiceError) follower.end(error.code, error.message);
  else follower.end('INTERNAL_ERROR');
}
