import { SluiceError } from '../errors.js';
import type { Follower } from './follower.js';
import type { History } from './history.js';
import type { Page } from './page.js';
import { TurnBudget } from './turn-budget.js';
import type { WorkspaceHub } from './workspace-hub.js';

/** Walks streams through history until they have come so far that they can follow the tail with their group. */
export class CatchUp {
  private readonly budget = new TurnBudget();

  constructor(private readonly history: History) {}

  /** Resolves when the stream has joined its group or is closed. Never rejects. */
  async run(hub: WorkspaceHub, follower: Follower): Promise<void> {
    try {
      while (!follower.isClosed && !hub.join(follower)) {
        await this.step(hub, follower);
      }
    } catch (error) {
      if (error instanceof SluiceError) follower.end(error.code, error.message);
      else follower.end('INTERNAL_ERROR');
    }
  }

  private async step(hub: WorkspaceHub, follower: Follower): Promise<void> {
    await this.budget.turn();
    if (follower.isClosed) return;
    const page =
      hub.pageAfter(follower.cursor, follower.filter) ?? (await this.read(hub, follower));
    if (follower.isClosed) return;
    if (page.gap !== null) follower.tellGap(page.gap);
    follower.cursor = page.end;
    follower.mark += page.frames.length;
    if (page.frames.length > 0) follower.write(page.frames);
    await follower.drained();
  }

  private read(hub: WorkspaceHub, { cursor, filter }: Follower): Promise<Page> {
    return this.history.after({ workspace: hub.workspace, epoch: hub.epoch, cursor, filter });
  }
}
