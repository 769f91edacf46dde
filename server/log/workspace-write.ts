import { type ChunkEntry, decodeChunk, encodeChunk } from './chunk-codec.js';
import { entriesOf } from './chunk-reader.js';
import { chunkKey, frameOf, type WorkspaceState } from './entry-codec.js';
import type { LogEntry, NewEntry } from './event-log.js';
import type { Table } from './tables.js';

/** What one transaction appends to one workspace: whatever its publishers, it shares chunks. */
export class WorkspaceWrite {
  private readonly added: ChunkEntry[] = [];
  /** The values written, each with the offset of its last entry. */
  private readonly values: { readonly last: number; readonly value: Buffer }[] = [];
  private stored = 0;
  private bytes = 0;

  constructor(
    private readonly workspace: string,
    private readonly epoch: string,
    private readonly before: WorkspaceState,
    private readonly appendedAt: number,
  ) {}

  /** Offset of the newest entry. */
  get head(): number {
    return this.before.head + this.added.length;
  }

  /** How many entries it appends. */
  get length(): number {
    return this.added.length;
  }

  /** Adds a batch. @param idempotencyHash of the record that goes when its first entry goes */
  add(events: readonly NewEntry[], idempotencyHash: Buffer | null): void {
    let hash = idempotencyHash;
    for (const event of events) {
      const { topic, type } = event;
      const frame = frameOf(this.epoch, this.head + 1, event);
      this.added.push({ topic, type, frame, idempotencyHash: hash });
      hash = null;
    }
  }

  /** Writes what has been added since the last time. Runs within the transaction. */
  store(table: Table): void {
    while (this.stored < this.added.length) {
      const { value, count } = encodeChunk(this.added, this.stored, this.appendedAt);
      this.stored += count;
      const last = this.before.head + this.stored;
      table.putSync(chunkKey(this.workspace, last), value);
      this.values.push({ last, value });
      this.bytes += value.length;
    }
  }

  /** The workspace as the transaction leaves it, untrimmed. */
  get state(): WorkspaceState {
    const { head, oldest, bytes, oldestAt } = this.before;
    return {
      head: this.head,
      oldest,
      bytes: bytes + this.bytes,
      oldestAt: oldest === head ? this.appendedAt : oldestAt,
    };
  }

  /** What followers are told: parts of the values that were written. */
  entries(): readonly LogEntry[] {
    return this.values.flatMap(({ last, value }) => {
      const { frames, ends, kinds } = decodeChunk(value);
      return entriesOf({ previous: last - ends.length, frames, ends }, kinds());
    });
  }
}
