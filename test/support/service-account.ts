import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AUTH_TOKEN_PATH } from '@sluice/protocol';
import type { Service } from './service.js';

const COMMAND = join(import.meta.dirname, '../../server/bin/sluice.js');

/** Runs the `sluice` command on the folder of a service. */
export async function runSluice(args: readonly string[], { dataDir }: Service): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', DATA_DIR: dataDir };
  const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, ...args], { env });
  return stdout;
}

/** Makes a service account of a workspace that may subscribe and publish; resolves to its secret. */
export async function addServiceAccount(
  id: string,
  service: Service,
  workspace = 'acme',
): Promise<string> {
  const about = ['--workspace', workspace, '--permissions', 'realtime:subscribe,realtime:publish'];
  const printed = await runSluice(['clients', 'add', '--id', id, ...about], service);
  return /^client_secret=(.+)$/m.exec(printed)?.[1] ?? '';
}

/** A token of a service account, with its end. */
export async function tokenOfAccount(
  applicationId: string,
  clientSecret: string,
  { url }: Service,
): Promise<{ readonly token: string; readonly expiresAt: string }> {
  const response = await fetch(url + AUTH_TOKEN_PATH, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ applicationId, clientSecret }),
  });
  if (response.status !== 200) throw new Error(`no token for ${applicationId}: ${response.status}`);
  return (await response.json()) as { token: string; expiresAt: string };
}
