/** What streams were given. Plain numbers: they grow with each write to a socket. */
export class Deliveries {
  /** Streams that are open. */
  streams = 0;
  /** Events that were handed to a socket; one that ten streams get counts ten times. */
  events = 0;
  /** Those among them that were handed to streams which came back or fell behind, before they stood at the head. */
  replayed = 0;
  /** Bytes of events and heartbeats. */
  bytes = 0;
}

/** Counts by workspace for those that are listed, and together for all others: what callers name makes no counter. */
export class DeliveriesByWorkspace {
  readonly listed: ReadonlyMap<string, Deliveries>;
  private readonly others = new Deliveries();

  constructor(workspaces: readonly string[]) {
    this.listed = new Map(workspaces.map((workspace) => [workspace, new Deliveries()]));
  }

  of(workspace: string): Deliveries {
    return this.listed.get(workspace) ?? this.others;
  }

  /** Of all workspaces. */
  sum(count: 'events' | 'replayed' | 'bytes'): number {
    let sum = this.others[count];
    for (const deliveries of this.listed.values()) sum += deliveries[count];
    return sum;
  }
}
