import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventsPath } from '@sluice/protocol';
import { eventJson, httpRequest } from '../event.js';
import { freePort } from '../free-port.js';
import { PinnedProcess } from '../pinned-process.js';
import { ROOT } from '../root.js';
import type { TokenIssuer } from '../tokens.js';
import type { Peer, Place, RunningPeer, StreamRequest } from './peer.js';

const ENTRY = join(ROOT, 'server/dist/main.js');
const LISTENS = /^Sluice listens on http:\/\/[^:]+:(\d+)/m;
/** As `npm start` has them. */
export const FLAGS = ['--max-semi-space-size=16', '--initial-old-space-size=96'];
const EVENT = 'application/cloudevents+json';
const BATCH = 'application/cloudevents-batch+json';

/** Limits that a benchmark on one machine would run into; they are counted all the same. */
const LIMITS = {
  MAX_STREAMS_PER_ADDRESS: '1000000',
  MAX_STREAMS_PER_SUBJECT: '1000000',
  MAX_OPENS_PER_SECOND: '1000000',
  MAX_BATCH: '1000',
};

export interface SluiceOptions {
  readonly issuer: TokenIssuer;
  readonly core: number;
  /** Where its data folder is made. */
  readonly folder: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** The Node that runs it. */
  readonly node?: string;
  readonly name?: string;
}

/** Sluice as it is deployed: the built service, its gate, its log on disk, its metrics port, one log line a request. */
export class SluicePeer implements Peer {
  readonly name: string;

  constructor(private readonly options: SluiceOptions) {
    this.name = options.name ?? 'Sluice';
  }

  async start(): Promise<RunningSluice> {
    const { issuer, core, folder, settings, node = process.execPath } = this.options;
    const dataFolder = await mkdtemp(join(folder, 'data-'));
    const opsPort = await freePort();
    const service = new PinnedProcess(node, [...FLAGS, ENTRY], {
      core,
      env: {
        HOST: '127.0.0.1',
        PORT: '0',
        OPS_PORT: String(opsPort),
        DATA_DIR: dataFolder,
        DRAIN_MS: '0',
        ...issuer.settings,
        ...LIMITS,
        ...settings,
      },
    });
    const port = Number(await service.said(LISTENS));
    return new RunningSluice({ service, issuer, port, opsPort, dataFolder });
  }
}

interface RunningParts {
  readonly service: PinnedProcess;
  readonly issuer: TokenIssuer;
  readonly port: number;
  readonly opsPort: number;
  readonly dataFolder: string;
}

export class RunningSluice implements RunningPeer {
  readonly port: number;
  /** By workspace, the cursor before the history that streams shall replay. */
  private readonly beginnings = new Map<string, string>();

  constructor(private readonly parts: RunningParts) {
    this.port = parts.port;
  }

  cpuSeconds(): number {
    return this.parts.service.cpuSeconds();
  }

  residentKb(): number {
    return this.parts.service.residentKb();
  }

  /** The longest that the event loop was held up, in ms, within the last 15 to 30 s. */
  async longestStallMs(): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.parts.opsPort}/metrics`);
    const text = await answer.text();
    const [, seconds] = /^sluice_event_loop_delay_max_seconds ([\d.e+-]+)$/m.exec(text) ?? [];
    if (seconds === undefined) throw new Error('the metrics tell nothing of the event loop');
    return Number(seconds) * 1_000;
  }

  async beginHistory(workspace: string): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.port}${eventsPath(workspace)}`, {
      method: 'POST',
      headers: { ...this.authorization('publisher', workspace), 'Content-Type': EVENT },
      body: eventJson(),
    });
    const { events } = (await answer.json()) as { events: { cursor: string }[] };
    this.beginnings.set(workspace, events[0]?.cursor ?? '');
  }

  streamRequest({ workspace, topic, subject, replays }: StreamRequest): string {
    const query = topic === undefined ? '' : `?topics=${topic}`;
    return httpRequest(`GET ${eventsPath(workspace)}${query}`, {
      ...this.authorization(subject, workspace),
      ...(replays === true && { 'Last-Event-ID': this.beginnings.get(workspace) ?? '' }),
    });
  }

  publishRequest({ workspace }: Place, events: readonly string[]): string {
    const isBatch = events.length > 1;
    const headers = {
      ...this.authorization('publisher', workspace),
      'Content-Type': isBatch ? BATCH : EVENT,
    };
    const body = isBatch ? `[${events.join(',')}]` : events[0];
    return httpRequest(`POST ${eventsPath(workspace)}`, headers, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.service[Symbol.asyncDispose]();
    await rm(this.parts.dataFolder, { recursive: true, force: true });
  }

  private authorization(subject: string, workspace: string): { Authorization: string } {
    return { Authorization: `Bearer ${this.parts.issuer.token({ subject, workspace })}` };
  }
}
