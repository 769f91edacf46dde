import type { LogEntry, LogFollower } from './event-log.js';

/** Who in this process is told of a workspace's new entries. */
export class Followers {
  private readonly byWorkspace = new Map<string, Set<LogFollower>>();

  add(workspace: string, follower: LogFollower): () => void {
    const followers = this.byWorkspace.get(workspace) ?? new Set();
    this.byWorkspace.set(workspace, followers.add(follower));
    return () => {
      followers.delete(follower);
      // Another set may stand here by now, if this one ran empty and the workspace was followed anew.
      if (followers.size === 0 && this.byWorkspace.get(workspace) === followers) {
        this.byWorkspace.delete(workspace);
      }
    };
  }

  has(workspace: string): boolean {
    return this.byWorkspace.has(workspace);
  }

  tell(workspace: string, entries: readonly LogEntry[]): void {
    for (const follower of this.byWorkspace.get(workspace) ?? []) follower.onEntries(entries);
  }
}
