import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PinnedProcess } from './pinned-process.js';

/** What the load saw while it carried out one command; see native/load.c. */
export interface LoadResult {
  readonly seconds: number;
  readonly requests: number;
  readonly events: number;
  readonly deliveries: number;
  /** With those that came when the time was over. */
  readonly allDeliveries: number;
  readonly bytes: number;
  /** Reads in which streams brought something, with those that came when the time was over. */
  readonly reads: number;
  readonly opened: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface RawResult extends LoadResult {
  readonly refused: number;
  readonly broken: number;
  /** Deliveries beyond those that are expected: something came twice. */
  readonly surplus: number;
  readonly failed: number;
  readonly failure: string;
}

export interface Publishing {
  /** How often each event is delivered; 0: it is done when it is answered. */
  readonly deliveries: number;
  readonly seconds: number;
}

/** Streams opened at a time. */
const AT_ONCE = 128;

/** The load client as a process of its own. Each command fails if anything was refused, lost or came twice. */
export class Load implements AsyncDisposable {
  private readonly process: PinnedProcess;
  private readonly answers: AsyncIterator<string>;
  private files = 0;

  constructor(
    program: string,
    private readonly folder: string,
    /** Streams are spread over them; events go to the first. */
    ports: readonly number[],
    core: number,
  ) {
    this.process = new PinnedProcess(program, ports.map(String), { core });
    const { stdout } = this.process.child;
    if (stdout === null) throw new Error('the load has no output');
    this.answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** The requests with which streams are opened, one after the other. */
  async setStreams(requests: readonly string[]): Promise<void> {
    await this.send(`streams ${await this.store(requests)}`);
  }

  /** The requests that are published, in turn. */
  async setPublishes(requests: readonly string[]): Promise<void> {
    await this.send(`publishes ${await this.store(requests)}`);
  }

  async open(count: number, atOnce = AT_ONCE): Promise<LoadResult> {
    return this.command(`open ${count} ${atOnce}`);
  }

  /** Opens streams of which each gets `events` of history; so many have not got all of it yet at a time. */
  async replay(count: number, events: number, atOnce = AT_ONCE): Promise<LoadResult> {
    return this.command(`replay ${count} ${atOnce} ${events}`);
  }

  /** Publishes, always so many requests under way. */
  async publishOutstanding(
    outstanding: number,
    { deliveries, seconds }: Publishing,
  ): Promise<LoadResult> {
    return this.command(`closed ${outstanding} ${Math.round(seconds * 1_000)} ${deliveries}`);
  }

  /** Publishes at a rate, whatever comes back. */
  async publishPaced(perSecond: number, { deliveries, seconds }: Publishing): Promise<LoadResult> {
    return this.command(`paced ${perSecond} ${Math.round(seconds * 1_000)} ${deliveries}`);
  }

  /** Publishes so many requests, whoever listens. */
  async publishCount(requests: number, outstanding = 16): Promise<LoadResult> {
    return this.command(`count ${outstanding} ${requests}`);
  }

  /** Reads what comes without an event being published. */
  async listen(seconds: number): Promise<LoadResult> {
    return this.command(`listen ${Math.round(seconds * 1_000)}`);
  }

  /** Closes all streams, and waits so long for the server to notice. */
  async dropStreams(seconds = 1): Promise<void> {
    await this.command(`drop ${Math.round(seconds * 1_000)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }

  private async store(requests: readonly string[]): Promise<string> {
    const path = join(this.folder, `requests-${process.pid}-${this.process.pid}-${this.files++}`);
    await writeFile(path, requests.map((request) => `${request}\0`).join(''));
    return path;
  }

  private async command(line: string): Promise<LoadResult> {
    const result = JSON.parse(await this.send(line)) as RawResult;
    const { refused, broken, surplus, failed, failure } = result;
    if (refused + broken + surplus + failed > 0) {
      throw new Error(
        `${line}: ${refused} refused, ${broken} broken, ${surplus} came twice, ${failed} failed: ${failure}`,
      );
    }
    return result;
  }

  private async send(line: string): Promise<string> {
    this.process.child.stdin?.write(`${line}\n`);
    const answer = await this.answers.next();
    if (answer.done === true) return this.process.failure('ended');
    return answer.value;
  }
}
