/** The head of an answer. */
export interface RawHead {
  readonly status: number;
  readonly reason: string;
  /** As they came, in order. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[];
  /** All values of a header, by its name in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

export interface HttpReaderOptions {
  readonly onHead?: (head: RawHead) => void;
  readonly onBody: (bytes: Uint8Array) => void;
  readonly onEnd: (head: RawHead) => void;
  readonly isHeadRequest?: boolean;
}

type Step = 'head' | 'counted' | 'chunk-size' | 'chunk' | 'trailer' | 'until-close' | 'done';

/** Reads one HTTP/1.1 answer from the bytes of its connection (RFC 9112), strictly. */
export class HttpReader {
  readonly #options: HttpReaderOptions;
  #step: Step = 'head';
  #buffered = Buffer.alloc(0);
  /** Bytes that the body, or the chunk with its line end, still has. */
  #left = 0;
  #head: RawHead | null = null;

  constructor(options: HttpReaderOptions) {
    this.#options = options;
  }

  feed(bytes: Uint8Array): void {
    this.#buffered = Buffer.concat([this.#buffered, bytes]);
    while (this.#advance());
  }

  /** The connection has ended. */
  finish(): void {
    if (this.#step === 'until-close') this.#end();
    else if (this.#step !== 'done') throw new Error(`the connection ended in the ${this.#step}`);
  }

  /** One step; whether another may follow. */
  #advance(): boolean {
    switch (this.#step) {
      case 'head': {
        const text = this.#take('\r\n\r\n');
        if (text !== null) this.#readHead(text);
        return text !== null;
      }
      case 'chunk-size': {
        const text = this.#take('\r\n');
        if (text === null) return false;
        const size = /^([0-9a-f]{1,8})(;.*)?$/i.exec(text)?.[1];
        if (size === undefined) throw new Error(`not the size of a chunk: ${text.slice(0, 40)}`);
        this.#left = Number.parseInt(size, 16);
        this.#step = this.#left === 0 ? 'trailer' : 'chunk';
        return true;
      }
      case 'chunk': {
        this.#passBody();
        if (this.#left > 0 || this.#buffered.length < 2) return false;
        if (this.#take('\r\n') !== '') throw new Error('a chunk is longer than its size');
        this.#step = 'chunk-size';
        return true;
      }
      case 'trailer': {
        const text = this.#take('\r\n');
        if (text === '') this.#end();
        return text !== null && text !== '';
      }
      case 'counted':
        this.#passBody();
        if (this.#left === 0) this.#end();
        return false;
      case 'until-close':
        this.#left = this.#buffered.length;
        this.#passBody();
        return false;
      case 'done':
        return false;
    }
  }

  #readHead(text: string): void {
    const [statusLine = '', ...lines] = text.split('\r\n');
    const match = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine);
    if (match === null) throw new Error(`not a status line: ${statusLine.slice(0, 80)}`);
    const rawHeaders = lines.map((line): readonly [string, string] => {
      const at = line.indexOf(':');
      if (at <= 0) throw new Error(`not a header: ${line.slice(0, 80)}`);
      return [line.slice(0, at), line.slice(at + 1).trim()];
    });
    const headers = new Map<string, string[]>();
    for (const [name, value] of rawHeaders) {
      const key = name.toLowerCase();
      headers.set(key, [...(headers.get(key) ?? []), value]);
    }
    const head = { status: Number(match[1]), reason: match[2] ?? '', rawHeaders, headers };
    // 100 Continue and its like precede the answer.
    if (head.status < 200) return;
    this.#head = head;
    this.#options.onHead?.(head);
    this.#step = this.#frameBody(head);
    if (this.#step === 'counted' && this.#left === 0) this.#end();
  }

  #frameBody({ status, headers }: RawHead): Step {
    if (this.#options.isHeadRequest || status === 204 || status === 304) return 'counted';
    if (headers.get('transfer-encoding')?.[0]?.toLowerCase() === 'chunked') return 'chunk-size';
    const length = headers.get('content-length')?.[0];
    if (length === undefined) return 'until-close';
    this.#left = Number(length);
    return 'counted';
  }

  #passBody(): void {
    const bytes = this.#buffered.subarray(0, this.#left);
    this.#buffered = this.#buffered.subarray(bytes.length);
    this.#left -= bytes.length;
    if (bytes.length > 0) this.#options.onBody(bytes);
  }

  #end(): void {
    this.#step = 'done';
    if (this.#head !== null) this.#options.onEnd(this.#head);
  }

  /** The text up to a mark, which is taken off as well; `null` while the mark has not come. */
  #take(mark: string): string | null {
    const at = this.#buffered.indexOf(mark);
    if (at < 0) return null;
    const text = this.#buffered.subarray(0, at).toString('latin1');
    this.#buffered = this.#buffered.subarray(at + mark.length);
    return text;
  }
}
