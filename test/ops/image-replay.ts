import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { type Copy, DockerfileParser, type From, type Instruction } from 'dockerfile-ast';

// No Docker engine runs where the tests run. So the instructions of the Dockerfile are carried out one by one, in a folder for
// each stage, with the Node of the tests in the place of the base image.

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const NPM_DEADLINE_MS = 120_000;

/** What the last stage would be as an image. */
export interface Image extends AsyncDisposable {
  /** Where its `WORKDIR` is. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly healthCommand: readonly string[];
  /** Commands of the last stage that change the base image, which is not there. */
  readonly notRun: readonly string[];
}

export async function readDockerfile(): Promise<Instruction[]> {
  const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
  return DockerfileParser.parse(text).getInstructions();
}

/** The instructions of each stage, by its name; the last one has none. */
export function stagesOf(instructions: readonly Instruction[]): Map<string, Instruction[]> {
  const stages = new Map<string, Instruction[]>();
  let stage: Instruction[] | null = null;
  for (const instruction of instructions) {
    if (instruction.getKeyword() === 'FROM') {
      stage = [];
      stages.set((instruction as From).getBuildStage() ?? '', stage);
    } else stage?.push(instruction);
  }
  return stages;
}

export async function replayImage(): Promise<Image> {
  const base = await mkdtemp(join(tmpdir(), 'sluice-image-'));
  const dispose = () => rm(base, { recursive: true, force: true });
  try {
    const stages = stagesOf(await readDockerfile());
    const notRun: string[] = [];
    for (const [name, instructions] of stages) {
      const folder = join(base, name === '' ? 'last' : name);
      await mkdir(folder);
      for (const instruction of instructions) await carryOut(instruction, { base, folder, notRun });
    }
    const last = stages.get('') ?? [];
    return {
      folder: join(base, 'last'),
      env: environmentOf(last),
      command: argumentsOf(last, 'CMD'),
      healthCommand: argumentsOf(last, 'HEALTHCHECK'),
      notRun,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

interface Place {
  readonly base: string;
  readonly folder: string;
  readonly notRun: string[];
}

async function carryOut(instruction: Instruction, place: Place): Promise<void> {
  switch (instruction.getKeyword()) {
    case 'COPY':
      return copy(instruction as Copy, place);
    case 'RUN':
      return runCommand(instruction.getArgumentsContent() ?? '', place);
  }
}

async function copy(instruction: Copy, { base, folder }: Place): Promise<void> {
  const stage = instruction.getFromFlag()?.getValue();
  const paths = instruction.getArguments().map((argument) => argument.getValue());
  const target = paths.pop() ?? '';
  for (const path of paths) {
    const source = stage == null ? join(ROOT, path) : path.replace(/^\/build/, join(base, stage));
    const isIntoFolder = target.endsWith('/');
    await cp(source, join(folder, target, isIntoFolder ? basename(source) : ''), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => stage != null || !isIgnored(file),
    });
  }
}

/** As the last lines of .dockerignore say. */
function isIgnored(file: string): boolean {
  return /\/(node_modules|dist)$|\.test\.ts$/.test(file);
}

async function runCommand(command: string, { folder, notRun }: Place): Promise<void> {
  if (/ \/(?:data|opt|usr)\b/.test(command)) {
    notRun.push(command);
    return;
  }
  if (command.startsWith('npm ci') && !command.includes('--omit=dev')) {
    // What `npm ci` of the project itself has brought.
    await linkPackages(folder);
    return;
  }
  // Of what is fetched, most lies in npm's own cache.
  const env = { ...process.env, npm_config_prefer_offline: 'true' };
  await run('sh', ['-c', command], { cwd: folder, env, timeout: NPM_DEADLINE_MS });
}

async function linkPackages(folder: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '@sluice'), { recursive: true });
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (name === '@sluice') continue;
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  for (const workspace of ['protocol', 'server']) {
    await symlink(join('../..', workspace), join(modules, '@sluice', workspace));
    const own = join(ROOT, workspace, 'node_modules');
    if (existsSync(own)) await symlink(own, join(folder, workspace, 'node_modules'));
  }
}

function environmentOf(stage: readonly Instruction[]): Record<string, string> {
  const pairs = stage
    .filter((instruction) => instruction.getKeyword() === 'ENV')
    .flatMap((instruction) => instruction.getArguments())
    .map((argument) => /^(\w+)=(.*)$/s.exec(argument.getValue()))
    .map((match) => [match?.[1] ?? '', match?.[2] ?? '']);
  return Object.fromEntries(pairs);
}

/** The arguments of the exec form: a shell between the engine and the service would keep signals to itself. */
export function argumentsOf(stage: readonly Instruction[], keyword: string): readonly string[] {
  const found = stage.filter((instruction) => instruction.getKeyword() === keyword);
  if (found.length !== 1) throw new Error(`${keyword} stands ${found.length} times`);
  const json = /\[.*\]/s.exec(found[0]?.getArgumentsContent() ?? '')?.[0];
  if (json === undefined) throw new Error(`${keyword} is for a shell`);
  return JSON.parse(json) as string[];
}
