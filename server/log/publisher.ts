import { randomUUID } from 'node:crypto';
import {
  type EventDefaults,
  type EventReading,
  formatCursor,
  isWorkspace,
  type RealtimeEvent,
  readCloudEvent,
  readShortEvent,
} from '@sluice/protocol';
import type { PublishLimits } from '../config.js';
import { SluiceError } from '../errors.js';
import { Histogram, type HistogramReading } from '../histogram.js';
import type { Appended, EventLog, Idempotency, LogEntry } from './event-log.js';

/** What a publisher gets for each of its events. */
export interface PublishedEvent {
  readonly id: string;
  readonly cursor: string;
}

export interface Published {
  readonly events: readonly PublishedEvent[];
  /** Whether an earlier publish with the same idempotency key is answered for. */
  readonly repeated: boolean;
}

/** What was published through this node since the start. */
export interface PublishStats {
  readonly events: number;
  /** Their size as JSON. */
  readonly bytes: number;
  /** Until an append was durable, or could not be. */
  readonly append: HistogramReading;
  /** Appends of which it is not known that they are durable. */
  readonly appendFailures: number;
  /** Events, of the workspaces that are listed. */
  readonly byWorkspace: ReadonlyMap<string, number>;
}

/** `short`: `topic`, `type` and `data` are enough; `cloudevent`: complete CloudEvents. */
export type EventForm = 'short' | 'cloudevent';

/** Checks events, and appends them: all of a batch or nothing. */
export class Publisher {
  private readonly counts = { events: 0, bytes: 0, appendFailures: 0 };
  private readonly append = new Histogram();
  private readonly byWorkspace: Map<string, number>;

  /** @param listed the workspaces whose events are counted by themselves too */
  constructor(
    private readonly log: EventLog,
    private readonly limits: PublishLimits,
    listed: readonly string[] = [],
  ) {
    this.byWorkspace = new Map(listed.map((workspace) => [workspace, 0]));
  }

  /** @throws SluiceError INVALID_REQUEST or PAYLOAD_TOO_LARGE naming the event's index. */
  read(workspace: string, values: readonly unknown[], form: EventForm): RealtimeEvent[] {
    if (!isWorkspace(workspace)) {
      throw new SluiceError('INVALID_REQUEST', 'The workspace is not a name.');
    }
    if (!Array.isArray(values)) {
      throw new SluiceError('INVALID_REQUEST', 'The events are not a list.');
    }
    if (values.length === 0) throw new SluiceError('INVALID_REQUEST', 'The batch is empty.');
    if (values.length > this.limits.maxBatch) {
      throw new SluiceError(
        'PAYLOAD_TOO_LARGE',
        `The batch holds more than ${this.limits.maxBatch} events.`,
      );
    }
    const read = form === 'short' ? readShortEvent : readCloudEvent;
    const defaults = defaultsFor(workspace);
    return values.map((value, index) => accepted(read(value, defaults), index));
  }

  /**
   * Resolves when the events are durable.
   * @throws SluiceError PAYLOAD_TOO_LARGE naming the event's index; what the log throws.
   */
  async publish(
    workspace: string,
    events: readonly RealtimeEvent[],
    idempotency?: Idempotency,
  ): Promise<Published> {
    let bytes = 0;
    const entries = events.map((event, index) => {
      const json = JSON.stringify(event);
      bytes += this.checkedSize(json, index);
      return { topic: event.topic, type: event.type, json };
    });
    const appended = await this.timed(() => this.log.append(workspace, entries, idempotency));
    if (appended.repeated === null) this.count(workspace, events.length, bytes);
    const ids = (appended.repeated?.map(eventOfEntry) ?? events).map(({ id }) => id);
    return {
      events: ids.map((id, index) => ({
        id,
        cursor: formatCursor(appended.epoch, appended.first + index),
      })),
      repeated: appended.repeated !== null,
    };
  }

  get stats(): PublishStats {
    return { ...this.counts, append: this.append.read(), byWorkspace: this.byWorkspace };
  }

  private async timed(append: () => Promise<Appended>): Promise<Appended> {
    const startedAt = performance.now();
    try {
      return await append();
    } catch (error) {
      // A key that was used for something else is no fault of the log.
      const isRefusal = error instanceof SluiceError && error.code === 'INVALID_REQUEST';
      if (!isRefusal) this.counts.appendFailures++;
      throw error;
    } finally {
      this.append.observeSince(startedAt);
    }
  }

  private count(workspace: string, events: number, bytes: number): void {
    this.counts.events += events;
    this.counts.bytes += bytes;
    const ofWorkspace = this.byWorkspace.get(workspace);
    if (ofWorkspace !== undefined) this.byWorkspace.set(workspace, ofWorkspace + events);
  }

  private checkedSize(json: string, index: number): number {
    const bytes = Buffer.byteLength(json);
    if (bytes > this.limits.maxEventBytes) {
      throw new SluiceError(
        'PAYLOAD_TOO_LARGE',
        `Event ${index} is larger than ${this.limits.maxEventBytes} bytes.`,
      );
    }
    return bytes;
  }
}

function accepted(reading: EventReading, index: number): RealtimeEvent {
  if ('event' in reading) return reading.event;
  throw new SluiceError('INVALID_REQUEST', `Event ${index}: ${reading.fault}.`);
}

function defaultsFor(workspace: string): EventDefaults {
  // One time for the whole batch: its events became one fact.
  let now: string | null = null;
  const time = () => {
    now ??= new Date().toISOString();
    return now;
  };
  return { id: randomUUID, source: `/workspaces/${workspace}`, time };
}

/** An event's JSON is the one `data` line of its frame. */
function eventOfEntry({ frame }: LogEntry): RealtimeEvent {
  const text = frame.toString();
  return JSON.parse(text.slice(text.indexOf('\ndata: ') + 7)) as RealtimeEvent;
}
