/** Where a stream or an event belongs. */
export interface Place {
  readonly workspace: string;
  /** Only streams of one topic; without it, of all. */
  readonly topic?: string;
}

/** Who opens a stream, and from where on. */
export interface StreamRequest extends Place {
  /** Each has a token of its own. */
  readonly subject: string;
  /** All of the history, before what comes live. */
  readonly replays?: boolean;
}

/** A server that runs, and how it is spoken to. */
export interface RunningPeer extends AsyncDisposable {
  readonly port: number;
  /** Seconds of processor time so far. */
  cpuSeconds(): number;
  residentKb(): number;
  /** Marks where the history begins that is replayed. */
  beginHistory(workspace: string): Promise<void>;
  /** The request that opens a stream. */
  streamRequest(stream: StreamRequest): string;
  /** The request that publishes these events, each as JSON; several only where the server knows batches. */
  publishRequest(place: Place, events: readonly string[]): string;
}

export interface Peer {
  readonly name: string;
  start(): Promise<RunningPeer>;
}
