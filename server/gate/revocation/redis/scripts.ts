import { script } from '../../../redis/script.js';

// What is done to the revocations in Redis, each in one atomic step. Those of all workspaces have one tag, so that they
// have one order, by which a node that missed a message reads on. The keys:
//
//   meta   hash: epoch (another one where Redis was emptied); head (the place of the newest change)
//   kept   hash: digest of what it is about -> `<before or -> <revokedAt> <what it is about, as JSON>`
//   order  sorted set: digest by the place of its last change. It holds what `kept` holds, and so needs no trimming
//   channel  (of messages) tells that there is something to read

/** ARGV[1]: epoch for a new store. */
const ENTER = `
local META, KEPT, ORDER, CHANNEL = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- "Marks a given history of the data set" (Redis, replication): another one after a restart and after a promotion, where
-- the newest changes may be missing and their places be given to others.
local info = redis.call('INFO', 'replication')
local at = string.find(info, 'master_replid:', 1, true)
local epoch = redis.call('HGET', META, 'epoch')
if not epoch then
  epoch = ARGV[1]
  local newest = redis.call('ZRANGE', ORDER, -1, -1, 'WITHSCORES')
  redis.call('HSET', META, 'epoch', epoch, 'head', newest[2] or 0)
end
local history = epoch .. ' ' .. string.sub(info, at + 14, at + 53)
local function partsOf(text) return string.match(text or '', '^(%S+) (%S+) (.*)$') end
`;

const WIDEST = `
local function widest(text, kept)
  local before, revokedAt, what = partsOf(text)
  local keptBefore, keptRevokedAt = partsOf(kept)
  if not keptBefore then return text end
  if keptBefore == '-' or before ~= '-' and tonumber(keptBefore) > tonumber(before) then before = keptBefore end
  if tonumber(keptRevokedAt) > tonumber(revokedAt) then revokedAt = keptRevokedAt end
  return before .. ' ' .. revokedAt .. ' ' .. what
end
`;

/**
 * ARGV further: digest, text. Replies: history, place, the text that stands. It writes in any case, so that replicas can be
 * waited for. Allowed when Redis is full: a token must not stay good for want of a few bytes, and there are bounds.
 */
export const ADD = script(
  `
${ENTER}${WIDEST}
local digest = ARGV[2]
local text = widest(ARGV[3], redis.call('HGET', KEPT, digest))
local place = redis.call('HINCRBY', META, 'head', 1)
redis.call('HSET', KEPT, digest, text)
redis.call('ZADD', ORDER, place, digest)
redis.call('SPUBLISH', CHANNEL, place)
return { history, place, text }
`,
  ['allow-oom'],
);

/** ARGV further: digest, text, by turns. Writes only what is missing or narrower. Replies how many that were. Allowed as `ADD` is. */
export const PUT_BACK = script(
  `
${ENTER}${WIDEST}
local count = 0
for index = 2, #ARGV, 2 do
  local digest, kept = ARGV[index], redis.call('HGET', KEPT, ARGV[index])
  local text = widest(ARGV[index + 1], kept)
  if text ~= kept then
    redis.call('HSET', KEPT, digest, text)
    redis.call('ZADD', ORDER, redis.call('HINCRBY', META, 'head', 1), digest)
    count = count + 1
  end
end
if count > 0 then redis.call('SPUBLISH', CHANNEL, count) end
return count
`,
  ['allow-oom'],
);

/**
 * ARGV further: ms that each is kept, then digest, revokedAt, by turns. By the clock of Redis, whatever that of a node says.
 * Replies the digests of those that are not old enough. Allowed when Redis is full, since it makes room.
 */
export const FORGET = script(
  `
${ENTER}
local clock = redis.call('TIME')
local oldest = clock[1] * 1000 + math.floor(clock[2] / 1000) - tonumber(ARGV[2])
local standing = {}
for index = 3, #ARGV, 2 do
  local before, revokedAt = partsOf(redis.call('HGET', KEPT, ARGV[index]))
  if revokedAt == ARGV[index + 1] then
    if math.max(tonumber(before) or 0, tonumber(revokedAt)) > oldest then
      standing[#standing + 1] = ARGV[index]
    else
      redis.call('HDEL', KEPT, ARGV[index])
      redis.call('ZREM', ORDER, ARGV[index])
    end
  end
end
return standing
`,
  ['allow-oom'],
);

/** ARGV further: history, the place that was reached in it, most texts. Replies: history, then place and text by turns; from the start in another history. */
export const READ = script(
  `
${ENTER}
local after = ARGV[2] == history and ARGV[3] or '0'
local found = redis.call('ZRANGE', ORDER, '(' .. after, '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[4], 'WITHSCORES')
local reply = { history }
for index = 1, #found, 2 do
  reply[#reply + 1] = found[index + 1]
  reply[#reply + 1] = redis.call('HGET', KEPT, found[index]) or ''
end
return reply
`,
  ['allow-oom'],
);
