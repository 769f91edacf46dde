import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { type Config, type ConfigReport, inspectConfig, type SettingState } from '../config.js';
import {
  type Command,
  type CommandContext,
  CommandFailure,
  onOneLine,
  UsageError,
} from './command.js';
import type { Remarks } from './config-surroundings.js';
import { readOptions } from './options.js';

type Variables = CommandContext['env'];

/** A setting, where it comes from, and what of it may be shown: `null` for a secret, and for what cannot stand. */
type ShownSetting = Omit<SettingState, 'source'> & {
  readonly source: SettingState['source'] | 'env-file';
};

interface Verdict extends Remarks {
  readonly isValid: boolean;
  readonly settings: readonly ShownSetting[];
}

const NOTHING: Remarks = { faults: [], warnings: [] };

export const configCommand: Command = {
  usage: `Usage: sluice config check [--env-file <file>] [--json]

Reads the settings as the service would, and prints every fault, every warning, and each setting
with what counts and where it comes from: default, environment, env-file, or file (a secret that
is in a file of its own). Secrets are shown as "(set)". It looks into the files and folders that
are named too, with the rights of whoever calls it: call it as the user whom the service runs as.
Nothing is started, changed, or asked over the network.

  --env-file <file>   variables for the service, as node --env-file reads them; what is in the
                      environment goes before them. Node itself looks for this file first, and
                      ends with the exit code 9 where there is none
  --json              one JSON object: isValid, faults, warnings, settings

The exit code is 0 where the service would accept the settings, 1 where it would not.
`,

  async run([action, ...args], context) {
    if (action !== 'check') {
      throw new UsageError(
        action === undefined ? 'an action is missing' : 'there is no such action',
      );
    }
    const options = readOptions(args, ['env-file'], ['json']);
    const file = options.one('env-file');
    const fromFile = file === undefined ? {} : await readEnvFile(file);
    const report = inspectConfig({ ...fromFile, ...context.env });
    const verdict = await judge(report, (name) => {
      const own = context.env[name];
      // Node 20 and 22 take this option for theirs, though it stands behind the script, and have read the file already.
      return name in fromFile && (own === undefined || own === fromFile[name]);
    });
    context.stdout.write(
      options.isGiven('json') ? `${JSON.stringify(verdict)}\n` : describe(verdict),
    );
    return verdict.isValid ? 0 : 1;
  },
};

async function judge(
  report: ConfigReport,
  isFromFile: (name: string) => boolean,
): Promise<Verdict> {
  const around = report.config === null ? NOTHING : await lookAround(report.config);
  const faults = [...report.faults, ...around.faults];
  const settings = report.settings.map((setting) => ({
    ...setting,
    source:
      setting.source === 'environment' && isFromFile(setting.name)
        ? ('env-file' as const)
        : setting.source,
  }));
  const warnings = [...report.warnings, ...around.warnings];
  return { isValid: faults.length === 0, faults, warnings, settings };
}

async function lookAround(config: Config): Promise<Remarks> {
  // What reads policies takes long to load, and no other command needs it.
  const { checkSurroundings } = await import('./config-surroundings.js');
  return checkSurroundings(config);
}

async function readEnvFile(path: string): Promise<Variables> {
  try {
    return parseEnv(await readFile(path, 'utf8')) as Record<string, string>;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CommandFailure(`the file ${path} cannot be read (${code})`, { cause });
  }
}

function describe({ isValid, faults, warnings, settings }: Verdict): string {
  const faulty = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  const rows = settings.map(
    (setting) => `  ${setting.name.padEnd(34)}${setting.source.padEnd(13)}${shownValue(setting)}`,
  );
  return [
    ...section('Faults', faults),
    ...section('Warnings', warnings),
    'Settings:',
    ...rows,
    '',
    isValid ? 'The service would accept these settings.' : `The settings cannot stand: ${faulty}.`,
    '',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  return [`${title}:`, ...lines.map((line) => `  - ${onOneLine(line)}`), ''];
}

function shownValue({ value, source, isValid }: ShownSetting): string {
  if (!isValid) return source === 'default' ? '(missing)' : '(not valid)';
  if (value === null) return '(set)';
  return value === '' ? '(none)' : onOneLine(value);
}
