import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { RECIPE_PATTERNS } from '../../server/scrub/recipe-patterns.js';
import { MARK } from '../../server/scrub/rules.js';
import { describeWith } from '../support/tools.js';
import { CORPUS, corpusTexts } from './corpus.js';

const PIPELINES = join(import.meta.dirname, '../../ops/log-pipelines');

function scrubByRecipe(text: string): string {
  return RECIPE_PATTERNS.reduce(
    (scrubbed, { pattern, keeps }) =>
      scrubbed.replace(new RegExp(pattern, 'g'), keeps ? `$1${MARK}` : MARK),
    text,
  );
}

describe('the patterns of the recipes', () => {
  it.each(CORPUS.filter(({ beyond }) => beyond !== true).map((line) => [line.name, line] as const))(
    'find what the filter finds: %s',
    (_, line) => {
      const { text, expected } = corpusTexts(line);
      const scrubbed = scrubByRecipe(text.toString('latin1'));
      expect(scrubbed).toBe(expected.toString('latin1'));
      expect(scrubByRecipe(scrubbed)).toBe(scrubbed);
    },
  );

  it('need nothing that one of the programs cannot read', () => {
    for (const { pattern } of RECIPE_PATTERNS) {
      // Looking around, groups that are referred to, flags, possessive repeats; RE2 repeats 1,000 times at most.
      expect(pattern).not.toMatch(/\(\?[^:]|\\[1-9]|[+*?}]\+(?!\[)|\\d|\\s|\\w/);
      expect(pattern).not.toMatch(/["'\n]/);
    }
  });
});

/** What Fluent Bit does with a record, for each line of hexadecimal digits. */
const RUN_LUA = `
dofile(arg[1])
for line in io.lines() do
  local text = line:gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)
  local _, _, record = scrub_record("tag", 0, { log = text })
  io.write((record.log:gsub(".", function(char) return string.format("%02x", char:byte()) end)), "\\n")
end
`;

describeWith('luajit', 'the script for Fluent Bit', (luajit) => {
  /** Of these it leaves a secret, or the rest of one. */
  const LEFT = [
    'Caddy, two credentials',
    'pino, raw headers',
    'encoded once more than its separator',
    'JSON, escaped slashes',
    'JSON, escaped equals',
    'header, another scheme',
    'header, a scheme of one’s own',
    'AWS signature',
    'HTTP signature',
    'HTTP signature in JSON',
    'HTTP signature in JSON, cut off',
    'HTTP signature, cut off before another header',
    'another scheme in JSON',
    'another scheme in JSON, more lines',
    'another scheme in hexadecimal escapes',
    'another scheme in an encoded URL',
    'Go map',
    'Digest',
    'JSON in CSV',
    'colour before a value',
    'colour before a quote',
    'colour after a name',
    'colour in JSON',
  ];
  /** Encoded letters are written plainly. */
  const plain = (text: string) =>
    text.replace(/(?:%(?:25)*|\\+u00|\\+x)([46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff])/g, (_, hex) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );

  it('finds what the filter finds, but for a few that docs/scrub.md tells of', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-lua-'));
    try {
      await writeFile(join(folder, 'run.lua'), RUN_LUA);
      const input = CORPUS.map((line) => `${corpusTexts(line).text.toString('hex')}\n`).join('');
      const args = [join(folder, 'run.lua'), join(PIPELINES, 'fluent-bit.lua')];
      const outputs = execFileSync(luajit, args, { input, encoding: 'latin1' }).split('\n');
      const failed = CORPUS.filter((line, index) => {
        const output = Buffer.from(outputs[index] ?? '', 'hex').toString('latin1');
        return plain(output) !== plain(corpusTexts(line).expected.toString('latin1'));
      });
      expect(failed.map(({ name }) => name)).toEqual(LEFT);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describeWith('systemd-analyze', 'the unit for the journal', (program) => {
  const UNIT = join(PIPELINES, 'journald-scrubbed.service');

  it('is one that systemd understands', () => {
    expect(execFileSync(program, ['verify', '--man=no', UNIT], { encoding: 'utf8' })).toBe('');
  });

  it('writes what the journal hands out to its folder, scrubbed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-journal-'));
    try {
      const sluice = join(import.meta.dirname, '../../server/bin/sluice.js');
      const programs = {
        // As the real one does: a line with a byte that is not printable is a list of numbers in JSON.
        journalctl: `case "$*" in
          *--output=cat*) printf 'GET /e?access_token=abc&x=\\001\\n' ;;
          *) printf '{"MESSAGE":[97,99,99,101,115,115,95,116,111,107,101,110,61,97,98,99]}\\n' ;;
        esac`,
        sluice: `exec "${process.execPath}" "${sluice}" "$@"`,
      };
      for (const [name, script] of Object.entries(programs)) {
        await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
        await chmod(join(folder, name), 0o755);
      }
      const [, command = ''] =
        /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(await readFile(UNIT, 'utf8')) ?? [];
      execFileSync('/bin/sh', ['-c', command.replaceAll('$$', '$')], {
        env: { PATH: `${folder}:/usr/bin:/bin`, LOGS_DIRECTORY: folder },
        stdio: 'ignore',
      });
      expect(await readFile(join(folder, 'scrubbed.log'), 'utf8')).toBe(
        'GET /e?access_token=*scrubbed*&x=\x01\n',
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
