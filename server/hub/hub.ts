import { type Cursor, formatCursor } from '@sluice/protocol';
import type { StreamLimits } from '../config.js';
import { DEADLINE_STEP_MS, Deadlines } from '../deadlines.js';
import { SluiceError, spreadRetryMs } from '../errors.js';
import { Histogram } from '../histogram.js';
import type { EventLog } from '../log/event-log.js';
import { logUnavailable } from '../log/log-unavailable.js';
import { CatchUp } from './catch-up.js';
import { DeliveriesByWorkspace } from './deliveries.js';
import { Departures, endDrained } from './departures.js';
import type { Follower, FollowerHost } from './follower.js';
import type { Group } from './group.js';
import { heartbeat } from './heartbeat.js';
import { History, MAX_HISTORY_BYTES } from './history.js';
import { Laggards } from './laggards.js';
import { Pump } from './pump.js';
import type { Start } from './start.js';
import { type HubStats, StreamTally } from './tally.js';
import { WorkspaceHub } from './workspace-hub.js';

/** Streams that are visited before the event loop gets a turn; most are written to. */
const VISITS_A_TURN = 100;

/** All open streams of this node, and what moves them forward. */
export class Hub implements FollowerHost {
  private readonly workspaces = new Map<string, WorkspaceHub>();
  private readonly opening = new Map<string, Promise<WorkspaceHub>>();
  private readonly publishToWrite = new Histogram();
  private readonly pump = new Pump((seconds) => this.publishToWrite.observe(seconds));
  private readonly history: History;
  private readonly catchUp: CatchUp;
  private readonly expiries = new Deadlines<Follower>();
  private readonly warnings = new Deadlines<Follower>();
  private readonly departures: Departures;
  private readonly tally = new StreamTally();
  private readonly deliveries: DeliveriesByWorkspace;
  private readonly laggards: Laggards;
  private readonly timers: NodeJS.Timeout[];
  private streams = 0;
  private isDraining = false;
  private readonly onEmpty: (() => void)[] = [];

  /** @param listed the workspaces whose streams and events are counted by themselves too */
  constructor(
    private readonly log: EventLog,
    limits: StreamLimits,
    listed: readonly string[] = [],
  ) {
    this.deliveries = new DeliveriesByWorkspace(listed);
    this.laggards = new Laggards(limits, (follower) => this.groupOf(follower));
    this.history = new History(log);
    this.catchUp = new CatchUp(this.history, ({ reason }) => this.tally.gap(reason));
    this.departures = new Departures(limits.retryMs);
    this.timers = [
      setInterval(() => void this.endWhatIsDue(), DEADLINE_STEP_MS).unref(),
      setInterval(() => void this.beat(), limits.heartbeatMs).unref(),
    ];
  }

  /** How many streams are open. */
  get size(): number {
    return this.streams;
  }

  get stats(): HubStats {
    let [tailBytes, catchingUp] = [0, 0];
    for (const hub of this.workspaces.values()) {
      tailBytes += hub.tailBytes;
      catchingUp += hub.catchingUp.size;
    }
    const { deliveries, tally } = this;
    const { behind, blocked, queuedBytes } = this.laggards.read();
    return {
      streams: this.streams,
      opened: tally.opened,
      ended: tally.ended,
      gaps: tally.gaps,
      workspaces: this.workspaces.size,
      tailBytes,
      historyBytes: this.history.bytes,
      maxHistoryBytes: MAX_HISTORY_BYTES,
      delivered: deliveries.sum('events'),
      replayed: deliveries.sum('replayed'),
      writtenBytes: deliveries.sum('bytes'),
      publishToWrite: this.publishToWrite.read(),
      byWorkspace: deliveries.listed,
      queuedBytes,
      blocked,
      lagging: catchingUp + behind,
    };
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
    // A stream that is opened now would look alive, and bring nothing.
    if (!this.log.isAvailable) throw logUnavailable();
    this.streams++;
    let hub: WorkspaceHub | undefined;
    let follower: Follower | null = null;
    try {
      hub = await this.workspaceHub(workspace);
      const start = await hub.startAt(cursor);
      if (this.isDraining) throw draining();
      // The log was made anew, and the hub has yet to hear of it.
      if (start.epoch !== hub.epoch) throw logUnavailable();
      follower = create(start);
      if (follower !== null) this.add(hub, follower, start);
    } finally {
      if (follower === null) this.release();
      if (hub !== undefined) {
        hub.pending--;
        this.closeIfUnused(hub);
      }
    }
  }

  /** Where a stream stands that is not forgotten yet. */
  cursorOf({ workspace, cursor }: Follower): string | null {
    const hub = this.workspaces.get(workspace);
    return hub === undefined ? null : formatCursor(hub.epoch, cursor);
  }

  /** Forgets a stream whose socket has closed. */
  remove(follower: Follower): void {
    this.release();
    this.tally.end(follower.endCode);
    this.deliveries.of(follower.workspace).streams--;
    this.laggards.forget(follower);
    this.expiries.remove(follower, follower.expiresAt * 1_000);
    this.warnings.remove(follower, follower.warnAt);
    const hub = this.workspaces.get(follower.workspace);
    if (hub === undefined) return;
    hub.leave(follower);
    this.closeIfUnused(hub);
  }

  /**
   * Opens no more streams, and asks the clients of those that are open to move, each at its own time within the
   * window. A stream goes on until its client has left it, or is ended a grace after its time. Where clients cannot
   * move, or there is no window, all are ended at once. Resolves when the last one has closed.
   * @param canMove whether there are other nodes
   */
  async drain(windowMs: number, canMove = false): Promise<void> {
    this.isDraining = true;
    await this.each((follower) => this.departures.begin(follower, { windowMs, canMove }));
    if (this.streams > 0) await new Promise<void>((resolve) => this.onEmpty.push(resolve));
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    for (const hub of this.workspaces.values()) hub.close();
    this.workspaces.clear();
  }

  onBlocked(follower: Follower): void {
    this.laggards.watch(follower);
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
    this.laggards.watch(follower);
    this.startCatchUp(hub, follower);
  }

  private release(): void {
    this.streams--;
    if (this.streams === 0) for (const resolve of this.onEmpty.splice(0)) resolve();
  }

  private add(hub: WorkspaceHub, follower: Follower, { gap }: Start): void {
    this.tally.open();
    if (gap !== null) this.tally.gap(gap.reason);
    hub.deliveries.streams++;
    if (follower.expiresAt * 1_000 <= Date.now()) {
      endExpired(follower);
      return;
    }
    this.expiries.add(follower, follower.expiresAt * 1_000);
    this.warnings.add(follower, follower.warnAt);
    follower.host = this;
    if (follower.blockedSince > 0) this.laggards.watch(follower);
    if (!hub.join(follower)) this.startCatchUp(hub, follower);
  }

  private startCatchUp(hub: WorkspaceHub, follower: Follower): void {
    // It is on its way already, and takes its next step from where it stands now.
    if (hub.catchingUp.has(follower)) return;
    hub.catchingUp.add(follower);
    void this.catchUp.run(hub, follower);
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
      opening = WorkspaceHub.open(workspace, this.log, {
        onBehind: (follower, group) => this.onBehind(follower, group),
        onAstray: (follower, hub) => this.startCatchUp(hub, follower),
        wake: (group) => this.pump.enqueue(group),
        onGap: ({ reason }) => this.tally.gap(reason),
        deliveries: this.deliveries.of(workspace),
      })
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

  /** What is due ends a slice at a time, since streams opened together end together. */
  private async endWhatIsDue(): Promise<void> {
    const now = Date.now();
    await inSlices(this.warnings.takeDue(now), (follower) => follower.warn());
    await inSlices(this.expiries.takeDue(now), endExpired);
    await inSlices(this.departures.takeDue(), endDrained);
    await inSlices(this.laggards.list(), (follower) => this.laggards.judge(follower, now));
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
    if (index % VISITS_A_TURN === VISITS_A_TURN - 1) await new Promise(setImmediate);
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
