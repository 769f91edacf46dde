import type { Following, LogFollower } from '../event-log.js';
import type { WorkspaceReader } from './workspace-reader.js';

/** What is asked at once when readers are visited. */
const VISITS_AT_ONCE = 100;

/** Begins to read a workspace's log. */
export interface ReadingSource {
  /** Resolves when messages arrive; to be called before the reader is opened. */
  subscribe(workspace: string, onMessage: (message: Buffer) => void): Promise<() => void>;
  openReader(workspace: string): Promise<WorkspaceReader>;
}

/** The reading of one workspace's log. */
interface Reading {
  readonly opened: Promise<WorkspaceReader>;
  /** Lets go of its messages. */
  end: () => void;
}

/** One reader for each workspace that is followed on this node, whoever many follow it. */
export class Readings {
  private readonly byWorkspace = new Map<string, Reading>();
  /** Whose turn to be visited is still to come. */
  private turns: string[] = [];

  constructor(private readonly source: ReadingSource) {}

  /** @throws SluiceError UNAVAILABLE */
  async follow(workspace: string, follower: LogFollower): Promise<Following> {
    for (;;) {
      const reading = this.byWorkspace.get(workspace) ?? this.open(workspace);
      const reader = await reading.opened;
      // Whoever followed it before may have let go of it in this very moment.
      if (this.byWorkspace.get(workspace) !== reading) continue;
      const remove = reader.add(follower);
      const unfollow = () => {
        remove();
        if (reader.isUnused) this.close(workspace, reading);
      };
      return { extent: reader.extent, unfollow };
    }
  }

  visitAll(visit: (reader: WorkspaceReader, workspace: string) => Promise<unknown>): Promise<void> {
    return this.visit([...this.byWorkspace.keys()], visit);
  }

  /** Visits so many, and others the next time. */
  visitSome(
    count: number,
    visit: (reader: WorkspaceReader, workspace: string) => Promise<unknown>,
  ): Promise<void> {
    if (this.turns.length === 0) this.turns = [...this.byWorkspace.keys()];
    return this.visit(this.turns.splice(0, count), visit);
  }

  end(): void {
    for (const { end } of this.byWorkspace.values()) end();
  }

  private async visit(
    workspaces: string[],
    visit: (reader: WorkspaceReader, workspace: string) => Promise<unknown>,
  ): Promise<void> {
    while (workspaces.length > 0) {
      await Promise.all(
        workspaces.splice(0, VISITS_AT_ONCE).map(async (workspace) => {
          const reader = await this.byWorkspace.get(workspace)?.opened.catch(() => undefined);
          if (reader !== undefined) await visit(reader, workspace);
        }),
      );
    }
  }

  private open(workspace: string): Reading {
    const reading: Reading = { opened: Promise.resolve().then(() => open()), end: () => {} };
    const open = async (): Promise<WorkspaceReader> => {
      // A message that comes before the extent is known tells of nothing that the extent may not lack.
      let opened: WorkspaceReader | null = null;
      let hasMissed = false;
      try {
        reading.end = await this.source.subscribe(workspace, (message) => {
          if (opened === null) hasMissed = true;
          else opened.onMessage(message);
        });
        opened = await this.source.openReader(workspace);
        if (hasMissed) await opened.catchUp();
        return opened;
      } catch (error) {
        this.close(workspace, reading);
        throw error;
      }
    };
    this.byWorkspace.set(workspace, reading);
    return reading;
  }

  private close(workspace: string, reading: Reading): void {
    if (this.byWorkspace.get(workspace) === reading) this.byWorkspace.delete(workspace);
    reading.end();
  }
}
