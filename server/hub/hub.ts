import type { Cursor } from '@sluice/protocol';
import type { StreamLimits } from '../config.js';
import { DEADLINE_STEP_MS, Deadlines } from '../deadlines.js';
import { SluiceError, spreadRetryMs } from '../errors.js';
import type { EventLog } from '../log/event-log.js';
import { CatchUp } from './catch-up.js';
import type { Follower, FollowerHost } from './follower.js';
import type { Group } from './group.js';
import { heartbeat } from './heartbeat.js';
import { History } from './history.js';
import { Pump, SLICE } from './pump.js';
import type { Start } from './start.js';
import { WorkspaceHub } from './workspace-hub.js';

/** How long a stream must have been behind before the bytes that wait for it are held against it. */
const LAG_GRACE_MS = 1_000;

/** All open streams of this node, and what moves them forward. */
export class Hub implements FollowerHost {
  private readonly workspaces = new Map<string, WorkspaceHub>();
  private readonly opening = new Map<string, Promise<WorkspaceHub>>();
  private readonly pump = new Pump();
  private readonly catchUp: CatchUp;
  private readonly expiries = new Deadlines<Follower>();
  private readonly warnings = new Deadlines<Follower>();
  private readonly lagging = new Set<Follower>();
  private readonly timers: NodeJS.Timeout[];
  private streams = 0;
  private isDraining = false;
  private readonly onEmpty: (() => void)[] = [];

  constructor(
    private readonly log: EventLog,
    private readonly limits: StreamLimits,
  ) {
    this.catchUp = new CatchUp(new History(log));
    this.timers = [
      setInterval(() => void this.endWhatIsDue(), DEADLINE_STEP_MS).unref(),
      setInterval(() => void this.beat(), limits.heartbeatMs).unref(),
    ];
  }

  /** How many streams are open. */
  get size(): number {
    return this.streams;
  }

  /**
   * Opens a stream. `create` is called once it is certain where the stream starts, and writes its head.
   * @throws SluiceError UNAVAILABLE while draining or when the log cannot be read.
   */
  async subscribe(
    workspace: string,
    cursor: Cursor | null,
    create: (start: Start) => Follower | null,
  ): Promise<void> {
    if (this.isDraining) throw draining();
    this.streams++;
    let hub: WorkspaceHub | undefined;
    let follower: Follower | null = null;
    try {
      hub = await this.workspaceHub(workspace);
      const start = await hub.startAt(cursor);
      if (this.isDraining) throw draining();
      follower = create(start);
      if (follower !== null) this.add(hub, follower);
    } finally {
      if (follower === null) this.release();
      if (hub !== undefined) {
        hub.pending--;
        this.closeIfUnused(hub);
      }
    }
  }

  /** Forgets a stream whose socket has closed. */
  remove(follower: Follower): void {
    this.release();
    this.lagging.delete(follower);
    this.expiries.remove(follower, follower.expiresAt * 1_000);
    this.warnings.remove(follower, follower.warnAt);
    const hub = this.workspaces.get(follower.workspace);
    if (hub === undefined) return;
    hub.leave(follower);
    this.closeIfUnused(hub);
  }

  /**
   * Opens no more streams, and sends those that are open away, to come back spread over `windowMs`. Resolves when the
   * last one has closed; each does so within its grace.
   */
  async drain(windowMs: number): Promise<void> {
    this.isDraining = true;
    // Never at once: whoever takes this node's place needs a moment too.
    await this.each((follower) =>
      follower.drain(spreadRetryMs(this.limits.retryMs) + Math.floor(Math.random() * windowMs)),
    );
    if (this.streams > 0) await new Promise<void>((resolve) => this.onEmpty.push(resolve));
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    for (const hub of this.workspaces.values()) hub.close();
    this.workspaces.clear();
  }

  onBlocked(follower: Follower): void {
    this.watchLag(follower);
  }

  onDrained(follower: Follower): void {
    const group = this.groupOf(follower);
    if (group === undefined || follower.position < 0) return;
    this.workspaces.get(follower.workspace)?.wakeUp(group);
  }

  private groupOf(follower: Follower): Group | undefined {
    return this.workspaces.get(follower.workspace)?.groupOf(follower);
  }

  private onBehind(follower: Follower, group: Group): void {
    const hub = this.workspaces.get(follower.workspace);
    if (hub === undefined) return;
    group.detach(follower);
    this.watchLag(follower);
    this.startCatchUp(hub, follower);
  }

  private release(): void {
    this.streams--;
    if (this.streams === 0) for (const resolve of this.onEmpty.splice(0)) resolve();
  }

  private add(hub: WorkspaceHub, follower: Follower): void {
    if (follower.expiresAt * 1_000 <= Date.now()) {
      endExpired(follower);
      return;
    }
    this.expiries.add(follower, follower.expiresAt * 1_000);
    this.warnings.add(follower, follower.warnAt);
    follower.host = this;
    if (follower.blockedSince > 0) this.watchLag(follower);
    if (!hub.join(follower)) this.startCatchUp(hub, follower);
  }

  private startCatchUp(hub: WorkspaceHub, follower: Follower): void {
    hub.catchingUp.add(follower);
    void this.catchUp.run(hub, follower).then(() => hub.catchingUp.delete(follower));
  }

  private async workspaceHub(workspace: string): Promise<WorkspaceHub> {
    const open = this.workspaces.get(workspace) ?? (await this.open(workspace));
    open.pending++;
    return open;
  }

  /** One opening at a time, however many streams ask for it. */
  private open(workspace: string): Promise<WorkspaceHub> {
    let opening = this.opening.get(workspace);
    if (opening === undefined) {
      opening = WorkspaceHub.open(
        workspace,
        this.log,
        (follower, group) => this.onBehind(follower, group),
        (group) => this.pump.enqueue(group),
      )
        .then((hub) => {
          this.workspaces.set(workspace, hub);
          return hub;
        })
        .finally(() => this.opening.delete(workspace));
      this.opening.set(workspace, opening);
    }
    return opening;
  }

  private closeIfUnused(hub: WorkspaceHub): void {
    if (!hub.isUnused || this.workspaces.get(hub.workspace) !== hub) return;
    this.workspaces.delete(hub.workspace);
    hub.close();
  }

  private watchLag(follower: Follower): void {
    if (follower.laggingSince === 0) follower.laggingSince = Date.now();
    this.lagging.add(follower);
  }

  /** What is due ends a slice at a time, since streams opened together end together. */
  private async endWhatIsDue(): Promise<void> {
    const now = Date.now();
    await inSlices(this.warnings.takeDue(now), (follower) => follower.warn());
    await inSlices(this.expiries.takeDue(now), endExpired);
    await inSlices([...this.lagging], (follower) => this.judgeLag(follower, now));
  }

  private judgeLag(follower: Follower, now: number): void {
    if (this.hasCaughtUp(follower)) {
      follower.laggingSince = 0;
      this.lagging.delete(follower);
      return;
    }
    const reason = this.reasonToCut(follower, now);
    if (reason !== null) follower.end('SLOW_CONSUMER', reason);
  }

  private hasCaughtUp(follower: Follower): boolean {
    if (follower.blockedSince > 0) return false;
    const group = this.groupOf(follower);
    if (group === undefined) return true;
    return follower.position >= 0 && group.isCurrent(follower.cursor);
  }

  private reasonToCut(follower: Follower, now: number): string | null {
    const { blockedSince, laggingSince } = follower;
    if (blockedSince > 0 && now - blockedSince >= this.limits.stallMs) {
      return 'Nothing was read from this stream for too long.';
    }
    const waiting = (this.groupOf(follower)?.bytes ?? 0) - follower.mark + follower.waitingBytes;
    if (waiting > this.limits.maxBacklogBytes && now - laggingSince >= LAG_GRACE_MS) {
      return 'More waited for this stream than its limit allows.';
    }
    return null;
  }

  private beat(): Promise<void> {
    return this.each((follower, hub) => heartbeat(follower, hub));
  }

  /** Visits every stream. */
  private async each(visit: (follower: Follower, hub: WorkspaceHub) => void): Promise<void> {
    for (const hub of [...this.workspaces.values()]) {
      await inSlices([...hub.followers()], (follower) => visit(follower, hub));
    }
  }
}

/** Visits the streams that are open, a slice at a time with a turn of the event loop between. */
async function inSlices(
  followers: readonly Follower[],
  visit: (follower: Follower) => void,
): Promise<void> {
  for (const [index, follower] of followers.entries()) {
    if (!follower.isClosed) visit(follower);
    if (index % SLICE === SLICE - 1) await new Promise(setImmediate);
  }
}

function endExpired(follower: Follower): void {
  follower.end('TOKEN_EXPIRED', 'The token of this stream has reached its end.');
}

function draining(): SluiceError {
  return new SluiceError('UNAVAILABLE', 'This node is going down.', {
    retryAfterMs: spreadRetryMs(1_000),
  });
}
