import { RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';
import { holds } from './checks.js';
import { type Call, type Control, remoteControl, type TokenWish } from './control.js';
import { Diary } from './diary.js';
import type { Outcome, Setting, Stage } from './scenario.js';
import { SCENARIOS } from './scenarios.js';

const DEADLINE_MS = 20_000;

/** Plays one scenario in this environment. Resolves in any case, and leaves no client behind. */
export async function play(name: string, setting: Setting, call: Call): Promise<Outcome> {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined) return { fault: `there is no scenario "${name}"` };
  const secrets: string[] = [];
  const clients: RealtimeClient[] = [];
  const diaries: Diary[] = [];
  const stage: Stage = {
    ...setting,
    control: noting(secrets, remoteControl(call)),
    client: (options) => {
      const client = new RealtimeClient({
        endpoint: setting.endpoint,
        workspace: setting.workspace,
        transport: setting.transport,
        backoff: { baseMs: 10, ceilMs: 100 },
        ...options,
      } as RealtimeClientOptions);
      clients.push(client);
      return client;
    },
    subscribe: (client, options = {}) => {
      const diary = new Diary(client, options);
      diaries.push(diary);
      return diary;
    },
  };
  const deadline = startDeadline();
  try {
    await Promise.race([scenario.play(stage), deadline.passed]);
    keepsSecrets(diaries, secrets);
    return { fault: null };
  } catch (error) {
    const notes = diaries.map((diary) => `\n  ${diary.describe()}`).join('');
    return { fault: `${describe(error)}${notes}` };
  } finally {
    deadline.stop();
    for (const client of clients) client.close();
  }
}

/** Not every browser repeats the message in the stack. */
function describe(error: unknown): string {
  return error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
}

function startDeadline() {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<never>((_, reject) => {
    const error = new Error(`it was not over after ${DEADLINE_MS} ms`);
    timer = setTimeout(() => reject(error), DEADLINE_MS);
  });
  return { passed, stop: () => clearTimeout(timer) };
}

/** The same control, which notes every token and secret that it gives out. */
function noting(secrets: string[], control: Control): Control {
  return {
    ...control,
    token: async (wish: TokenWish = {}) => {
      const token = await control.token(wish);
      secrets.push(token);
      return token;
    },
    serviceAccount: async () => {
      const account = await control.serviceAccount();
      secrets.push(account.clientSecret);
      return account;
    },
  };
}

/** No error tells a secret, whatever is printed of it. */
function keepsSecrets(diaries: readonly Diary[], secrets: readonly string[]): void {
  for (const error of diaries.flatMap(({ errors }) => errors)) {
    const text = `${JSON.stringify(error)} ${error.stack} ${String(error.cause)}`;
    holds(!secrets.some((secret) => text.includes(secret)), `${error.code} holds no token`);
  }
}
