import { inspect } from 'node:util';
import { expect, it, jest } from '@jest/globals';
import { makeCertificates } from '../../test/support/certificates.js';
import { openTestRedis } from '../../test/support/open-test-redis.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { describeWith } from '../../test/support/tools.js';

const PASSWORD = 'hunter2-secret';
const USERS = [`app on >${PASSWORD} +@all ~* &*`];
/** As a proxy, or a service that has renamed it. */
const NO_AUTH = { args: ['--rename-command', 'AUTH', '', '--rename-command', 'HELLO', ''] };

/** All that anybody could write to a log of it. */
function allOf(error: unknown): string {
  return inspect(error, { depth: null, showHidden: true });
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'nothing failed', allOf);
}

describeWith('redis-server', 'what is told of a failure of Redis', () => {
  it('does not hold the password where AUTH is not known, neither at the start nor later', async () => {
    const words = jest.spyOn(console, 'error').mockImplementation(() => {});
    await using server = await RedisServer.start({ users: USERS });
    const url = server.url.replace('//', `//app:${PASSWORD}@`);
    await using opened = await openTestRedis(url);
    await server.kill();
    await opened.becomes('away');
    await using other = await RedisServer.start({ ...NO_AUTH, port: server.port });
    expect(other.isRunning).toBe(true);
    await opened.failures.find((error) => allOf(error).includes("unknown command 'auth'"));
    const refusal = await failureOf(openTestRedis(url, {}, 500));
    expect(refusal).toContain("ERR unknown command 'auth': it knows no passwords");
    const all = [refusal, ...opened.failures.items.map(allOf), allOf(words.mock.calls)].join('\n');
    words.mockRestore();
    expect(all).not.toContain('hunter2');
  });

  it('does not hold the password of a Sentinel', async () => {
    await using tls = await makeCertificates();
    await using server = await RedisServer.start({ ...NO_AUTH, tls });
    const url = `rediss+sentinel://127.0.0.1:${server.port}/sluice?sentinel_username=app&sentinel_password=${PASSWORD}`;
    const refusal = await failureOf(openTestRedis(url, { REDIS_CA_FILE: tls.caFile }, 500));
    expect(refusal).toContain("unknown command 'auth'");
    expect(refusal).not.toContain('hunter2');
  });

  it('does not hold what was to be written, whatever became of it', async () => {
    await using server = await RedisServer.start();
    await using opened = await openTestRedis(server.url);
    const { redis } = opened;
    const key = redis.key('n', 'a');
    const unknown = await failureOf(redis.call('NOSUCH', key, PASSWORD));
    expect(unknown).toContain("unknown command 'NOSUCH'");
    const refused = await failureOf(redis.call('HSET', key, PASSWORD));
    expect(refused).toContain('wrong number of arguments');
    server.pause();
    const lost = failureOf(redis.call('SET', key, PASSWORD));
    await server.kill();
    expect(await lost).toContain('UNAVAILABLE');
    for (const told of [unknown, refused, await lost]) expect(told).not.toContain('hunter2');
  });
});
