import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { freePort } from './free-port.js';
import { until } from './until.js';

const FOLDER = join(import.meta.dirname, '../../ops/prometheus');
const RULES = ['recording.yml', 'alerts.yml'];
/** A scrape of two nodes takes some 20 ms here. */
const INTERVAL = '250ms';
const START_DEADLINE_MS = 15_000;

/** One series of an answer. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface RuleState {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  /** Of an alert. */
  readonly state?: 'inactive' | 'pending' | 'firing';
}

interface Rule {
  readonly alert?: string;
  for?: string;
}

/** Debian's Prometheus, with the configuration and the rules of this project. Use it with `await using`. */
export class Prometheus implements AsyncDisposable {
  private output = '';

  private constructor(
    private readonly url: string,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {
    const keep = (bytes: Buffer) => {
      this.output = (this.output + bytes.toString()).slice(-4_000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
  }

  /**
   * Everything is as in ops/prometheus but for the targets, how often they are scraped, and that no alert waits.
   * @param targets `host:port` of each node
   */
  static async start(program: string, targets: readonly string[]): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
    await writeSettings(folder, targets);
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      program,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const prometheus = new Prometheus(`http://${address}`, folder, child);
    try {
      const isReady = async () => (await fetch(`http://${address}/-/ready`)).ok;
      await until('Prometheus is ready', isReady, START_DEADLINE_MS);
      return prometheus;
    } catch (cause) {
      await prometheus[Symbol.asyncDispose]();
      throw new Error(`Prometheus does not start: ${prometheus.output}`, { cause });
    }
  }

  /** The series that an expression gives now. @throws Error for one that cannot be evaluated. */
  async query(expression: string): Promise<readonly Sample[]> {
    const { result } = await this.get<{ result: Sample[] }>('query', { query: expression });
    return result;
  }

  /** All names of metrics that were scraped or recorded. */
  async names(): Promise<ReadonlySet<string>> {
    return new Set(await this.get<string[]>('label/__name__/values', {}));
  }

  async rules(): Promise<readonly RuleState[]> {
    const { groups } = await this.get<{ groups: { rules: RuleState[] }[] }>('rules', {});
    return groups.flatMap(({ rules }) => rules);
  }

  async firing(): Promise<readonly string[]> {
    const rules = await this.rules();
    return rules.filter(({ state }) => state === 'firing').map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  private async get<Data>(path: string, query: Record<string, string>): Promise<Data> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(query)}`);
    const answer = (await response.json()) as { status: string; error?: string; data: Data };
    if (answer.status !== 'success') {
      throw new Error(`${query['query'] ?? path}: ${answer.error}`);
    }
    return answer.data;
  }
}

async function writeSettings(folder: string, targets: readonly string[]): Promise<void> {
  const settings = parse(await readFile(join(FOLDER, 'prometheus.yml'), 'utf8'));
  settings.global = { scrape_interval: INTERVAL, evaluation_interval: INTERVAL };
  settings.alerting = undefined;
  for (const job of settings.scrape_configs) {
    job.scrape_timeout = INTERVAL;
    job.static_configs = [{ targets }];
  }
  await writeFile(join(folder, 'prometheus.yml'), stringify(settings));
  for (const name of RULES) {
    const rules = parse(await readFile(join(FOLDER, name), 'utf8')) as {
      groups: { rules: Rule[] }[];
    };
    for (const rule of rules.groups.flatMap((group) => group.rules)) {
      if (rule.alert !== undefined) rule.for = '0s';
    }
    await writeFile(join(folder, name), stringify(rules));
  }
}
