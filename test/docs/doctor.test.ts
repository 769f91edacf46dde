import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EXIT_CODES } from '../../server/cli/doctor/report.js';
import { CHECKS } from '../../server/cli/doctor/run-checks.js';
import { readConfig } from '../../server/config.js';
import { examine, runDoctor } from '../e2e/doctor/examine.js';
import { Service } from '../support/service.js';
import { tokensOf } from '../support/test-service.js';
import { codeBlocks, readDocument, tableRows } from './markdown.js';

const PAGE = readDocument('docs/doctor.md');

function blockOf(mark: string): string {
  const block = codeBlocks(PAGE).find(({ marks }) => marks.includes(mark));
  if (block === undefined) throw new Error(`docs/doctor.md has no block ${mark}`);
  return block.code;
}

let service: Service;
let token: string;
beforeAll(async () => {
  service = await Service.start({ env: { HEARTBEAT_MS: '300', OPS_PORT: '0' } });
  token = (await tokensOf(readConfig({ DATA_DIR: service.dataDir })))();
});
afterAll(async () => service[Symbol.asyncDispose]());

describe('docs/doctor.md', () => {
  it('lists the checks, in their order', () => {
    const listed = tableRows(PAGE, 'doctor-checks').map(([id, title]) => [id, title]);
    expect(listed).toEqual(CHECKS.map(({ id, title }) => [`\`${id}\``, title]));
  });

  it('lists the exit codes', () => {
    const listed = tableRows(PAGE, 'doctor-exit-codes').map(([code, name]) => [name, Number(code)]);
    const known = Object.entries(EXIT_CODES).map(([name, code]) => [`\`${name}\``, code]);
    expect(listed).toEqual([...known.slice(0, 2), ['', 2], ...known.slice(2)]);
  });

  it('has examples that run', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-doctor-docs-'));
    const file = join(folder, 'token.txt');
    try {
      await writeFile(file, token);
      const commands = blockOf('doctor-examples').trim().split('\n');
      expect(commands).toHaveLength(4);
      const codes = [];
      for (const command of commands) {
        const [, , ...args] = command
          .replace(/https:\/\/realtime\.example\.com|http:\/\/127\.0\.0\.1:3000/, service.url)
          .replace('http://127.0.0.1:9464', service.opsUrl)
          .replace('token.txt', file)
          .split(' ');
        const { code } = await runDoctor(args, { env: { SLUICE_TOKEN: token } });
        codes.push(code);
      }
      // The third is of a page whose origin this service does not know.
      expect(codes).toEqual([0, 0, 1, 0]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('shows what is printed', async () => {
    const args = [service.url, '--origin', 'https://app.example'];
    const { printed } = await runDoctor(args, { token });
    const plain = (line: string) =>
      line
        .replace(/127\.0\.0\.1:\d+/, '127.0.0.1:3000')
        .replace(/port \d+: connected in .*/, 'port 3000: connected in 2 ms')
        .replace(/within [\d.]+ s$/, 'within 0.5 s');
    const lines = printed.split('\n').map(plain);
    for (const line of blockOf('doctor-output').trim().split('\n')) {
      if (line !== '…') expect(lines).toContain(line);
    }
  });

  it('shows the members of the JSON', async () => {
    const args = [service.url, '--origin', 'https://app.example'];
    const { report, check } = await examine(args, { token });
    const shown = JSON.parse(blockOf('doctor-json')) as typeof report;
    expect(Object.keys(shown)).toEqual(Object.keys(report));
    expect(Object.keys(shown.counts)).toEqual(Object.keys(report.counts));
    const [cors] = shown.checks;
    expect(Object.keys(cors ?? {})).toEqual(Object.keys(check('cors')));
    expect(cors?.facts).toEqual(check('cors').facts);
    expect(cors?.seen).toEqual(check('cors').seen);
  });
});
