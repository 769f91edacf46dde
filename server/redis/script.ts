import { createHash } from 'node:crypto';

/** A Lua script that Redis runs whole and alone. */
export interface Script {
  readonly lua: string;
  /** What Redis knows it by. */
  readonly sha1: string;
}

export type ScriptFlag = 'no-writes' | 'allow-oom';

/** @param flags see https://redis.io/docs/latest/develop/programmability/lua-api/#script_flags */
export function script(lua: string, flags: readonly ScriptFlag[] = []): Script {
  const head = flags.length === 0 ? '#!lua' : `#!lua flags=${flags.join(',')}`;
  const text = `${head}\n${lua.trim()}\n`;
  return { lua: text, sha1: createHash('sha1').update(text).digest('hex') };
}
