import { readFile } from 'node:fs/promises';
import { isName, isWorkspace } from '@sluice/protocol';
import { readAccessToken } from '../access-token.js';
import { type CommandContext, CommandFailure, UsageError } from '../command.js';
import { type Options, readOptions } from '../options.js';
import type { DoctorOptions, ExpectedSettings } from './examination.js';
import { type ReadToken, readToken, workspacesIn } from './read-token.js';

const NAMES = [
  'workspace',
  'token-file',
  'origin',
  'jwks',
  'ops',
  'publish',
  'seconds',
  'ca-file',
] as const;
const FLAGS = ['json'] as const;
type DoctorArguments = Options<(typeof NAMES)[number], (typeof FLAGS)[number]>;

const DEFAULT_URL = 'http://127.0.0.1:3000';
/** The address of a stream, as it may be copied out of a browser. */
const STREAM_PATH = /\/realtime\/workspace\/([\w-]{1,64})\/events\/?$/;

export interface DoctorArgumentsRead {
  readonly options: DoctorOptions;
  readonly isJson: boolean;
  /** What must not be printed, whoever says it. */
  readonly secrets: string[];
}

/** @throws UsageError, without what the URL holds: it may be a secret. */
export async function readDoctorOptions(
  args: readonly string[],
  context: CommandContext,
): Promise<DoctorArgumentsRead> {
  const { url: given, rest } = takeUrl(args);
  const options = readOptions(rest, NAMES, FLAGS);
  const url = httpUrl('the URL', given ?? (context.env['SLUICE_URL'] || DEFAULT_URL));
  const token = await readTokenIfGiven(context, options.one('token-file'));
  const expected = expectedSettings(context.env);
  const [, inPath = null] = STREAM_PATH.exec(url.pathname) ?? [];
  const base = new URL(url.origin);
  base.pathname = url.pathname.replace(STREAM_PATH, '').replace(/\/+$/, '');
  const seconds = options.wholeNumber('seconds', 1, 600);
  return {
    isJson: options.isGiven('json'),
    secrets: [...secretsOf(token), ...url.searchParams.values()],
    options: {
      base,
      hadQuery: url.search !== '',
      workspace: readWorkspace(options) ?? inPath ?? onlyWorkspaceOf(token, expected),
      token,
      origin: readOrigin(options.one('origin')),
      jwks: optionalUrl('--jwks', options.one('jwks')),
      ops: optionalUrl('--ops', options.one('ops')),
      publishTopic: readTopic(options.one('publish')),
      watchMs: seconds === undefined ? null : seconds * 1_000,
      ca: await readCa(options.one('ca-file')),
      expected,
    },
  };
}

/** The one argument that is no option: it may stand first or last, or between options. */
function takeUrl(args: readonly string[]): { url: string | undefined; rest: readonly string[] } {
  const takesNext = (argument: string | undefined) =>
    NAMES.some((name) => argument === `--${name}`);
  const at = args.findIndex(
    (argument, index) => !argument.startsWith('-') && !takesNext(args[index - 1]),
  );
  return { url: args[at], rest: at < 0 ? args : args.filter((_, index) => index !== at) };
}

function httpUrl(name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(
      `${name} must be an http or https address, such as https://realtime.example.com`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(`${name} holds a user name or a password; leave it out`);
  }
  return url;
}

function optionalUrl(name: string, text: string | undefined): URL | null {
  return text === undefined ? null : httpUrl(name, text);
}

function readWorkspace(options: DoctorArguments): string | null {
  const text = options.one('workspace');
  if (text === undefined || isWorkspace(text)) return text ?? null;
  throw new UsageError('--workspace must be 1 to 64 letters, digits, "_" and "-"');
}

function onlyWorkspaceOf(
  token: ReadToken | null,
  { workspaceClaim }: ExpectedSettings,
): string | null {
  const named = workspacesIn(token?.parts?.claims ?? {}, workspaceClaim ?? 'workspace');
  const [only] = named;
  return named.length === 1 && only !== undefined && isWorkspace(only) ? only : null;
}

/** RFC 6454, section 6.2: what a browser sends has no path, not even a slash. */
function readOrigin(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (URL.canParse(text) && new URL(text).origin === text) return text;
  throw new UsageError(
    '--origin must be as browsers send it: https://app.example, without a slash at its end',
  );
}

function readTopic(text: string | undefined): string | null {
  if (text === undefined || isName(text)) return text ?? null;
  throw new UsageError('--publish must be the name of a topic');
}

async function readTokenIfGiven(
  context: CommandContext,
  file: string | undefined,
): Promise<ReadToken | null> {
  const isGiven = ['SLUICE_TOKEN', 'SLUICE_TOKEN_FILE'].some((name) => context.env[name]?.trim());
  if (file === undefined && !isGiven) return null;
  try {
    return readToken(await readAccessToken(context, file));
  } catch (error) {
    if (error instanceof CommandFailure) throw new UsageError(error.message);
    throw error;
  }
}

/** The signature alone makes the token whole again for whoever has seen its claims. */
function secretsOf(token: ReadToken | null): string[] {
  if (token === null) return [];
  const signature = token.text.split('.')[2] ?? '';
  return [token.text, encodeURIComponent(token.text), signature];
}

async function readCa(file: string | undefined): Promise<string | null> {
  if (file === undefined) return null;
  const pem = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`the file ${file} cannot be read (${error.code})`);
  });
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new UsageError(`the file ${file} holds no certificate (PEM)`);
}

/** Where the command runs with the settings of the service, its tokens can be judged by them. */
function expectedSettings(env: CommandContext['env']): ExpectedSettings {
  const textOf = (name: string) => env[name]?.trim() || null;
  const numberOf = (name: string) => {
    const text = textOf(name);
    return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
  };
  return {
    issuer: textOf('TOKEN_ISSUER'),
    audience: textOf('TOKEN_AUDIENCE'),
    workspaceClaim: textOf('WORKSPACE_CLAIM'),
    clockToleranceSeconds: numberOf('CLOCK_TOLERANCE_SECONDS') ?? 5,
    heartbeatMs: numberOf('HEARTBEAT_MS'),
  };
}
