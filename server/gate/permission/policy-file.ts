import { open, stat } from 'node:fs/promises';
import { Policy } from './policy.js';
import { PolicyFault, readPolicyRules } from './policy-rules.js';

const MAX_BYTES = 8 * 1024 * 1024;
const LOOK_EVERY_MS = 1_000;

export interface PolicyFileOptions {
  readonly path: string;
  /** Told once of each change that cannot stand or cannot be read; the policy stays what it was. */
  readonly onFailure: (error: Error) => void;
}

/** A policy in a file, followed as it changes: in its place, replaced, or through a link that is turned. */
export class PolicyFile {
  private looking: Promise<void> = Promise.resolve();
  private readonly timer: NodeJS.Timeout;
  private lastTold = '';

  private constructor(
    private readonly options: PolicyFileOptions,
    private policy: Policy,
    /** Which state of the file was read last, whether it could stand or not. */
    private version: string,
  ) {
    // What a file's system tells of changes is lost behind links and mounts; asking is not.
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  /** @throws PolicyFault naming the file and what is wrong with it. */
  static async open(options: PolicyFileOptions): Promise<PolicyFile> {
    const version = await versionOf(options.path);
    return new PolicyFile(options, await readPolicy(options.path), version);
  }

  get current(): Policy {
    return this.policy;
  }

  /** Takes up what has changed until now. Never throws. */
  look(): Promise<void> {
    this.looking = this.looking.then(() => this.takeUp());
    return this.looking;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async takeUp(): Promise<void> {
    const { path } = this.options;
    // Looked at before it is read: what changes in between is found the next time.
    const version = await versionOf(path);
    try {
      if (version !== this.version) this.policy = await readPolicy(path);
      this.version = version;
      this.lastTold = '';
    } catch (error) {
      // What is in it stays as it is; what kept it from being read may pass, and it is read at the next look.
      if (isOfContent(error)) this.version = version;
      this.tell(version, error as Error);
    }
  }

  private tell(version: string, error: Error): void {
    const told = `${version} ${error.message}`;
    if (told !== this.lastTold) this.options.onFailure(error);
    this.lastTold = told;
  }
}

/** Changes with the file; that there is none is a state too. */
async function versionOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

async function readPolicy(path: string): Promise<Policy> {
  try {
    return await Policy.of(readPolicyRules(await readText(path)));
  } catch (cause) {
    const reason =
      cause instanceof PolicyFault ? cause.message : `it cannot be read (${codeOf(cause)})`;
    const faults = reason.split('\n').map((fault) => `  - ${fault}`);
    throw new PolicyFault(`The policy file ${path} is not valid:\n${faults.join('\n')}`, { cause });
  }
}

/** Whether it was read, and found wanting. */
function isOfContent(error: unknown): boolean {
  return error instanceof PolicyFault && error.cause instanceof PolicyFault;
}

async function readText(path: string): Promise<string> {
  const file = await open(path, 'r');
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Its size is not asked for beforehand: the file may grow.
  for await (const chunk of file.createReadStream({ end: MAX_BYTES })) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  if (bytes > MAX_BYTES) throw new PolicyFault(`it has more than ${MAX_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new PolicyFault('it is not UTF-8');
  }
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : 'unknown';
}
