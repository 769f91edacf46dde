import { constants, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type ReadOptions, readScrubbed, scrubInPlace } from '../scrub/in-place.js';
import { partsOfFile, partsOfPipe } from '../scrub/parts.js';
import { ScrubError } from '../scrub/scrub-error.js';
import type { SecretPlace } from '../scrub/scrubber.js';
import { type Command, type CommandContext, onOneLine, say, UsageError } from './command.js';
import { readOptions } from './options.js';
import { createProgress } from './progress.js';

const STDIN = '-';

export const scrubCommand: Command = {
  usage: `Usage: sluice scrub [FILE...]
       sluice scrub --in-place FILE...
       sluice scrub --check [FILE...]

Copies what is written in the files, or on stdin, to stdout, with *scrubbed* in place of each
token, client secret and credentials of a header. Everything else stays byte for byte. What
counts as a secret, and what does not, is told in docs/scrub.md.

  --in-place    replaces each file by what it is without its secrets. A file without any is not
                touched; one that is being written to, or has hard links, is refused
  --check       writes nothing but where secrets are, as FILE:LINE:COLUMN, without them

Packed files (gzip, zstd, xz, bzip2) are refused: zcat FILE | sluice scrub | gzip.

Exit codes: 0; with --check 1 where a secret was found; 2 where something was not scrubbed.
`,

  async run(args, context) {
    const { flags, files } = splitArguments(args);
    const options = readOptions(flags, [], ['in-place', 'check']);
    const job = new Job(context, options.isGiven('check'), options.isGiven('in-place'), files);
    return job.run();
  },
};

/** What begins with a dash is an option, up to `--`. */
function splitArguments(args: readonly string[]) {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const isFlag = (arg: string) => arg.startsWith('-') && arg !== STDIN;
  const before = args.slice(0, end);
  return {
    flags: before.filter(isFlag),
    files: [...before.filter((arg) => !isFlag(arg)), ...args.slice(end + 1)],
  };
}

class Job {
  readonly #context: CommandContext;
  readonly #isCheck: boolean;
  readonly #isInPlace: boolean;
  readonly #files: readonly string[];
  #found = 0;
  #failed = 0;
  /** Of secrets, as far as they are not written yet. */
  #places = '';
  /** Nobody reads stdout any more. */
  #isUnread = false;

  constructor(
    context: CommandContext,
    isCheck: boolean,
    isInPlace: boolean,
    files: readonly string[],
  ) {
    if (isCheck && isInPlace) throw new UsageError('either --check or --in-place');
    if (isInPlace && files.length === 0) throw new UsageError('--in-place needs a FILE');
    if (isInPlace && files.includes(STDIN)) throw new UsageError('--in-place needs files, not "-"');
    this.#context = context;
    this.#isCheck = isCheck;
    this.#isInPlace = isInPlace;
    this.#files = files.length === 0 ? [STDIN] : files;
  }

  /** @returns the exit code */
  async run(): Promise<number> {
    for (const file of this.#files) {
      if (this.#context.signal.aborted) break;
      try {
        if (file === STDIN) await this.#scrubStdin();
        else await this.#scrubFile(file);
      } catch (error) {
        if (this.#isUnread) break;
        this.#failed++;
        say(this.#context, `${nameOf(file)}: ${describe(error)}`);
      }
    }
    // The reader has what it wanted (| head).
    if (this.#isUnread) return 0;
    const found = `${this.#found} ${this.#found === 1 ? 'secret' : 'secrets'}`;
    if (this.#failed > 0 || this.#context.signal.aborted) {
      say(this.#context, `${found} found; not everything was scrubbed`);
      return 2;
    }
    say(this.#context, `${found} ${this.#isCheck ? 'found' : 'scrubbed'}`);
    return this.#isCheck && this.#found > 0 ? 1 : 0;
  }

  #onFinding(file: string): (place: SecretPlace) => void {
    return ({ line, column }) => {
      this.#found++;
      if (this.#isCheck) this.#places += `${nameOf(file)}:${line}:${column}\n`;
    };
  }

  /** With --check what was found in a part is written instead of it. Resolves when the part may be overwritten. */
  #write = async (scrubbed: Uint8Array): Promise<void> => {
    const part = this.#isCheck ? this.#places : scrubbed;
    this.#places = '';
    if (part.length === 0) return;
    const { stdout, signal } = this.#context;
    await new Promise<void>((resolve, reject) => {
      const stop = () => reject(new ScrubError('stopped'));
      signal.addEventListener('abort', stop, { once: true });
      stdout.write(part, (error) => {
        signal.removeEventListener('abort', stop);
        this.#isUnread ||= (error as NodeJS.ErrnoException | null | undefined)?.code === 'EPIPE';
        if (error) reject(error);
        else resolve();
      });
    });
  };

  async #scrubStdin(): Promise<void> {
    const { stdin, signal } = this.#context;
    const { fd } = stdin as { readonly fd?: number };
    const stats = fd === undefined ? null : fstatSync(fd);
    if (fd !== undefined && stats?.isFile()) {
      await this.#show(STDIN, stats.size, (options) =>
        readScrubbed(partsOfFile(fd), this.#write, options),
      );
      return;
    }
    const stop = () => stdin.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await readScrubbed(stdin, this.#write, this.#optionsOf(STDIN));
    } catch (error) {
      throw signal.aborted ? new ScrubError('stopped') : error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async #scrubFile(file: string): Promise<void> {
    // A pipe is refused in place, and not waited for.
    const flags = this.#isInPlace ? constants.O_RDONLY | constants.O_NONBLOCK : constants.O_RDONLY;
    const handle = await open(file, flags);
    try {
      const stats = await handle.stat();
      if (stats.isDirectory()) throw new ScrubError('is a folder');
      const parts = () => (stats.isFile() ? partsOfFile(handle.fd) : partsOfPipe(handle));
      await this.#show(file, stats.size, async (options) => {
        if (this.#isInPlace) await scrubInPlace(file, options);
        else await readScrubbed(parts(), this.#write, options);
      });
    } finally {
      await handle.close();
    }
  }

  /** Shows how far it has come while `scrub` runs. */
  async #show(file: string, size: number, scrub: (options: ReadOptions) => Promise<void>) {
    const progress = createProgress(this.#context.stderr, nameOf(file), size);
    try {
      await scrub({ ...this.#optionsOf(file), onProgress: progress.show });
    } finally {
      progress.clear();
    }
  }

  #optionsOf(file: string): ReadOptions {
    return {
      signal: this.#context.signal,
      onFinding: this.#onFinding(file),
      countsLines: this.#isCheck,
      isCheck: this.#isCheck,
    };
  }
}

/** A name must not look like a line of its own. */
function nameOf(file: string): string {
  return file === STDIN ? '(stdin)' : onOneLine(file);
}

function describe(error: unknown): string {
  if (error instanceof ScrubError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return WORDS[code ?? ''] ?? message;
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read or replaced',
  EPERM: 'it may not be replaced, or its owner not be kept',
  EISDIR: 'is a folder',
  ENOSPC: 'there is no space left',
  EDQUOT: 'there is no space left',
  EFBIG: 'it would be larger than files may be here (ulimit -f)',
  EROFS: 'the file system is read-only',
};
