import { script } from '../../../redis/script.js';

// How nodes count together. The keys in Redis:
//
//   nodes    sorted set: a node's name -> when its lease ends, in ms by the clock of Redis. Who is past it is dead, and
//            stays listed for a while, so that its counts are dropped wherever they are met
//   renewed  when any node renewed its lease last
//   counts   (one of each subject and workspace) hash: a node's name -> <places it holds>:<sequence>:<ms when it said so>
//
// A node says how many places it holds, not how many more or fewer: what is said twice, or again after an answer was lost,
// is said once. None of it is worth much memory, so all of it is allowed when Redis is full.

const NOW = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- Large numbers would be written with an exponent.
local function int(number) return string.format('%.0f', number) end
`;

/**
 * KEYS: nodes, renewed. ARGV: name, ms of a lease, ms after which silence of all means that Redis was away, ms that the dead are
 * listed, how many of them. Replies: 0 renewed, 1 not known before, 2 dead (and not renewed); names of the dead.
 */
export const RENEW = script(
  `
${NOW}
local name, lease, silence = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local last = tonumber(redis.call('GET', KEYS[2]) or now)
-- Nobody could renew: Redis was away, or its clock was set. That is no time in which a node has died.
if now - last > silence or now < last then
  for _, alive in ipairs(redis.call('ZRANGE', KEYS[1], int(last), '+inf', 'BYSCORE')) do
    redis.call('ZINCRBY', KEYS[1], int(now - last), alive)
  end
end
redis.call('SET', KEYS[2], int(now))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now - tonumber(ARGV[4])))
local endsAt = tonumber(redis.call('ZSCORE', KEYS[1], name) or 'inf')
local outcome = 0
if endsAt == math.huge then outcome = 1 elseif endsAt < now then outcome = 2 end
if outcome < 2 then redis.call('ZADD', KEYS[1], int(now + lease), name) end
local dead = redis.call('ZRANGE', KEYS[1], '(' .. int(now), '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[5])
return { outcome, dead }
`,
  ['allow-oom'],
);

/** KEYS: nodes. ARGV: name. What this node still holds is nobody's from now on. */
export const RETIRE = script(
  `
${NOW}
redis.call('ZADD', KEYS[1], 'XX', int(now - 1), ARGV[1])
`,
  ['allow-oom'],
);

/**
 * KEYS: counts. ARGV: name, places held, places wanted (as many or more), the limit of all nodes, sequence, ms that a count
 * stands without being said again, ms that an empty one is kept, names of the dead. Replies: how many of the wanted there are,
 * never fewer than are held; -1 where more has been said since.
 */
export const COUNT = script(
  `
${NOW}
local name, held, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local dead = {}
for index = 8, #ARGV do dead[ARGV[index]] = true end
local fields, others = redis.call('HGETALL', KEYS[1]), 0
for index = 1, #fields, 2 do
  local node = fields[index]
  local count, sequence, saidAt = string.match(fields[index + 1], '^(%d+):(%d+):(%d+)$')
  if node == name then
    -- It has lain in a connection that was given up.
    if tonumber(sequence) > tonumber(ARGV[5]) then return -1 end
  elseif dead[node] or tonumber(saidAt) < now - tonumber(ARGV[6]) then
    redis.call('HDEL', KEYS[1], node)
  else
    others = others + tonumber(count)
  end
end
local granted = math.max(held, math.min(wanted, tonumber(ARGV[4]) - others))
redis.call('HSET', KEYS[1], name, int(granted) .. ':' .. ARGV[5] .. ':' .. int(now))
-- An empty one stands for a while too: something older may be on its way still.
redis.call('PEXPIRE', KEYS[1], granted + others > 0 and ARGV[6] or ARGV[7])
return granted
`,
  ['allow-oom'],
);
