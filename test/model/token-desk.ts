import { StopRetrying, type TokenAnswer, type TokenRequest } from '@sluice/sdk';
import { elapsed } from './elapsed.js';
import type { MemoryService } from './memory-service.js';

const LIFE_MS = 300_000;
const SLOW_MS = 4_000;

export type Mood = 'good' | 'slow' | 'hangs' | 'fails' | 'stops' | 'bad' | 'stale';

/** Where the client under test gets its tokens: an application's backend, in various moods. */
export class TokenDesk {
  mood: Mood = 'good';
  readonly moods = new Set<Mood>();
  readonly violations: string[] = [];
  readonly #service: MemoryService;
  #calls = new Set<AbortSignal>();

  constructor(service: MemoryService) {
    this.#service = service;
  }

  /** Calls that somebody still waits for. */
  get waiting(): number {
    return this.#calls.size;
  }

  issue(): string {
    return this.#service.issueToken(LIFE_MS);
  }

  readonly getToken = async ({ signal }: TokenRequest): Promise<TokenAnswer> => {
    if (this.#calls.size > 0) this.violations.push('two requests for a token at once');
    this.moods.add(this.mood);
    this.#calls.add(signal);
    const leave = (): void => void this.#calls.delete(signal);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await this.#answer(signal);
    } finally {
      leave();
    }
  };

  async #answer(signal: AbortSignal): Promise<TokenAnswer> {
    if (this.mood === 'fails') throw new Error('the backend is down');
    if (this.mood === 'stops') throw new StopRetrying('signed out');
    if (this.mood === 'bad') return this.#service.issueToken(LIFE_MS, false);
    if (this.mood === 'stale') return this.#service.issueToken(0);
    if (this.mood === 'slow') await elapsed(SLOW_MS, signal);
    if (this.mood === 'hangs') await new Promise(() => {});
    const token = this.issue();
    return { token, expiresAt: this.#service.expiryOf(token) };
  }
}
