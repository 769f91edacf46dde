import type { Socket } from 'node:net';

/** What a proxy does to the bytes that pass. */
export interface Shape {
  /** How much later each byte arrives. */
  readonly delayMs: number;
  /** How many bytes pass in a second. */
  readonly bytesPerSecond: number;
}

export const UNSHAPED: Shape = { delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY };

/** What is on its way at most before the sender is held back. */
const MAX_UNDER_WAY_BYTES = 1_048_576;
/** A throttled flow passes so many pieces a second. */
const PIECES_PER_SECOND = 50;

interface Piece {
  readonly bytes: Buffer;
  readonly dueAt: number;
}

export interface FlowOptions {
  readonly from: Socket;
  readonly shape: () => Shape;
  /** Takes bytes on; `false` if it has enough for now, until `resume`. */
  readonly pass: (bytes: Buffer) => boolean;
  /** The sender has ended, and all that it sent was passed on. */
  readonly onEnd: () => void;
}

/** One direction of a connection through a proxy. */
export class Flow {
  readonly #options: FlowOptions;
  readonly #underWay: Piece[] = [];
  #bytesUnderWay = 0;
  /** When the line is free for the next piece. */
  #freeAt = 0;
  #timer: NodeJS.Timeout | null = null;
  #isStalled = false;
  #isFull = false;
  #isDead = false;
  #hasEnded = false;

  constructor(options: FlowOptions) {
    this.#options = options;
    options.from.on('data', (bytes) => this.#take(bytes));
    options.from.on('end', () => {
      this.#hasEnded = true;
      this.#settle();
    });
  }

  stall(): void {
    this.#isStalled = true;
    this.#settle();
  }

  unstall(): void {
    this.#isStalled = false;
    this.#settle();
  }

  /** The receiver takes more. */
  resume(): void {
    this.#isFull = false;
    this.#settle();
  }

  /** From now on all that is sent vanishes, also the word that it ends. */
  die(): void {
    this.#isDead = true;
    this.#underWay.length = 0;
    this.#bytesUnderWay = 0;
    this.#settle();
  }

  stop(): void {
    this.die();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #take(bytes: Buffer): void {
    if (this.#isDead) return;
    const { delayMs, bytesPerSecond } = this.#options.shape();
    const now = performance.now();
    const most = Math.max(1, Math.floor(bytesPerSecond / PIECES_PER_SECOND));
    for (let at = 0; at < bytes.length; at += most) {
      const piece = bytes.subarray(at, at + most);
      const startsAt = Math.max(now, this.#freeAt);
      this.#freeAt = startsAt + (piece.length / bytesPerSecond) * 1_000;
      this.#underWay.push({ bytes: piece, dueAt: Math.max(startsAt, this.#freeAt) + delayMs });
      this.#bytesUnderWay += piece.length;
    }
    this.#settle();
  }

  /** Passes on what is due, and sees to the rest. */
  #settle(): void {
    this.#passDue();
    const { from, onEnd } = this.#options;
    const holdsBack = this.#isFull || this.#bytesUnderWay > MAX_UNDER_WAY_BYTES;
    if (!this.#isDead && (this.#isStalled || holdsBack)) from.pause();
    else from.resume();
    if (this.#hasEnded && !this.#isDead && this.#underWay.length === 0) {
      this.#hasEnded = false;
      onEnd();
    }
  }

  #passDue(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (!this.#isStalled && !this.#isFull) {
      const [piece] = this.#underWay;
      if (piece === undefined) return;
      const waitsMs = piece.dueAt - performance.now();
      if (waitsMs > 0) {
        this.#timer = setTimeout(() => this.#settle(), Math.ceil(waitsMs));
        return;
      }
      this.#underWay.shift();
      this.#bytesUnderWay -= piece.bytes.length;
      this.#isFull = !this.#options.pass(piece.bytes);
    }
  }
}
