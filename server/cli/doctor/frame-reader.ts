/** A frame of a stream as it came, comments too: what the doctor looks at is when they come. */
export interface SeenFrame {
  readonly kind: 'event' | 'comment';
  /** The name of the event, or the text of the comment. */
  readonly name: string;
  readonly id: string | null;
  readonly data: string;
  readonly atMs: number;
}

/** A service sends less than that in one frame unless events are very large: what is longer is cut off. */
const MAX_FRAME_CHARACTERS = 2_000_000;

/** Splits a stream into its frames. It knows only what the service writes: lines that end with LF or CRLF. */
export class FrameReader {
  private rest = '';

  constructor(private readonly onFrame: (frame: SeenFrame) => void) {}

  feed(text: string): void {
    const frames = (this.rest + text).replaceAll('\r\n', '\n').split('\n\n');
    this.rest = (frames.pop() ?? '').slice(-MAX_FRAME_CHARACTERS);
    for (const frame of frames) this.read(frame);
  }

  private read(frame: string): void {
    const atMs = performance.now();
    const fields = new Map<string, string>();
    let comment: string | null = null;
    for (const line of frame.split('\n')) {
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (name === '') comment = value;
      else fields.set(name, fields.has(name) ? `${fields.get(name)}\n${value}` : value);
    }
    const id = fields.get('id') ?? null;
    const data = fields.get('data');
    if (data !== undefined) {
      this.onFrame({ kind: 'event', name: fields.get('event') ?? 'message', id, data, atMs });
    } else if (comment !== null) {
      this.onFrame({ kind: 'comment', name: comment, id, data: '', atMs });
    }
  }
}
