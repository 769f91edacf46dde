import { script } from '../../redis/script.js';

// What is done to a workspace's log in Redis, each in one atomic step. Its keys:
//
//   meta     hash: epoch; head and oldest (offsets); told (the offset up to which readers may have it); history (the replication id of the server that wrote last); time
//            (ms, of the newest entry), since (ms, of the oldest one kept); bytes (of all entries ever), start (of those
//            before the oldest one kept)
//   events   stream: an entry's id is `<offset>-<ms when it was appended>`. Fields of an event: `e` (topic, type and JSON, a
//            line each) and `b` (`bytes` behind it). Fields of a seam: `s` (the offset it follows on) and `b`
//   keys     hash: idempotency key -> first:count:fingerprint
//   order    sorted set: idempotency keys by the first offset of their batch
//   channel  (of messages) `<epoch> <previous> <first> <count>`, then the lines of the events. A seam has none; of what is
//            too much for a message only the last offset is told, with a count of -1
//
// What may fail (a key of another type, a clock that cannot be read) comes before the first write: Redis takes nothing back.

/**
 * A seam lies at least this far behind the last offset, and not before an offset that the clock gives. A server that lost
 * its newest events, seams among them, would make the same seam again if it counted on from what it has left; by the clock
 * it begins behind whatever was given out meanwhile, as long as a workspace gets less than a million events a second and
 * the clocks of servers differ by less than the time between two fail-overs.
 */
const SEAM = { least: 1_000_000_000, since: Date.UTC(2026), offsetsAMs: 1_000 };
/** Cursors have fifteen digits (docs/PROTOCOL.md). */
const LAST_SEAM = 999_000_000_000_000;
/** Entries are removed when they are older than they may be by a sixteenth of that, or by this if it is less. */
const MOST_OVERDUE_MS = 60_000;
/** How much shorter than it should be the time may be after which the log's name is forgotten, before it is set anew. */
const EXPIRY_SLACK_MS = 3_600_000;

/** The most that one message brings: Redis cuts off whoever does not take messages as fast as they come. */
const MESSAGE = { events: 1_000, bytes: 1_048_576 };

/** Common to those that write. ARGV: epoch for a new log, whether Redis is durable, retention (events, bytes, ms), ms that the log's name outlives it, whether replicas are waited for. */
const ENTER = `
local META, EVENTS, KEYS_OF, ORDER, CHANNEL = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local maxEvents, maxBytes, maxAge = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local maxIdle = maxAge + tonumber(ARGV[6])
-- Large numbers would be written with an exponent.
local function int(number) return string.format('%.0f', number) end
local function offsetOf(entry) return tonumber(string.match(entry[1], '^%d+')) end
local function timeOf(entry) return tonumber(string.match(entry[1], '%d+$')) end
local function fieldOf(entry, name)
  for i = 1, #entry[2], 2 do if entry[2][i] == name then return entry[2][i + 1] end end
end
local function bytesBefore(entry)
  return tonumber(fieldOf(entry, 'b')) - #(fieldOf(entry, 'e') or '')
end

-- "Marks a given history of the data set" (Redis, replication): another one after a restart and after a promotion.
local info = redis.call('INFO', 'replication')
local at = string.find(info, 'master_replid:', 1, true)
local history = string.sub(info, at + 14, at + 53)
local clock = redis.call('TIME')
local clockMs = clock[1] * 1000 + math.floor(clock[2] / 1000)
local read = redis.call('HMGET', META, 'epoch', 'head', 'oldest', 'bytes', 'start', 'time', 'since', 'history',
  'told')
local length = redis.call('XLEN', EVENTS)
local keyCount, orderCount = redis.call('HLEN', KEYS_OF), redis.call('ZCARD', ORDER)
local log = {
  epoch = read[1], head = tonumber(read[2]), oldest = tonumber(read[3]), bytes = tonumber(read[4]),
  start = tonumber(read[5]), time = tonumber(read[6]), since = tonumber(read[7]), history = read[8],
  told = tonumber(read[9]),
}
local isChanged = false
-- From here on there are writes.
if not log.epoch then
  -- A new log, or one whose name was lost: what may be left of it belongs to no cursor.
  redis.call('DEL', EVENTS, KEYS_OF, ORDER)
  length = 0
  log = { epoch = ARGV[1], head = 0, oldest = 0, bytes = 0, start = 0, time = 0, since = 0, history = history,
    told = 0 }
  isChanged = true
elseif length == 0 and log.oldest < log.head then
  log.oldest, log.start = log.head, log.bytes
  isChanged = true
end
if keyCount ~= orderCount then
  -- One of the two was evicted; without the other it would grow for ever, or forget nothing.
  redis.call('DEL', KEYS_OF, ORDER)
end
-- A clock that was put back must not make an entry older than the one before it.
local now = math.max(clockMs, log.time)

local function tell(previous, first, count, from)
  local head = log.epoch .. ' ' .. int(previous) .. ' ' .. int(first) .. ' ' .. count
  if count > 0 then head = head .. '\\n' .. table.concat(ARGV, '\\n', from) end
  redis.call('SPUBLISH', CHANNEL, head)
end

if log.history ~= history then
  -- Another server, or the same one anew: its last offsets may be lower than those that the former one gave out.
  local previous = log.head
  local byClock = (clockMs - ${SEAM.since}) * ${SEAM.offsetsAMs}
  if byClock > ${LAST_SEAM} then byClock = 0 end
  log.head, log.history = math.max(previous + ${SEAM.least}, byClock), history
  -- What is here now stays: there is no other server any more that might have less.
  log.told = log.head
  if ARGV[2] ~= '1' then previous = log.head - 1 end
  redis.call('XADD', EVENTS, int(log.head) .. '-' .. int(now), 's', int(previous), 'b', int(log.bytes))
  if length == 0 then
    redis.call('PEXPIRE', EVENTS, int(maxAge))
    log.since = now
  end
  length, log.time, isChanged = length + 1, now, true
  tell(previous, log.head, 0)
end

-- The first entry, at or behind an offset, that fits; fitting grows with the offset.
local function firstThat(fits)
  local low, high = log.oldest + 1, log.head + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = redis.call('XRANGE', EVENTS, int(middle), '+', 'COUNT', 1)[1]
    if not entry or fits(entry) then high = middle else low = middle + 1 end
  end
  return low
end

local function forgetKeys()
  repeat
    local gone = redis.call('ZRANGE', ORDER, '-inf', int(log.oldest), 'BYSCORE', 'LIMIT', 0, 1000)
    if #gone > 0 then
      redis.call('HDEL', KEYS_OF, unpack(gone))
      redis.call('ZREM', ORDER, unpack(gone))
    end
  until #gone < 1000
end

-- Where a bound is reached it is undercut by a sixteenth, so that trimming comes in runs and not each time; what is too
-- old may stay a little longer for the same reason.
local function trim()
  if length == 0 then return end
  local isTrimmed = false
  if length > maxEvents then
    redis.call('XTRIM', EVENTS, 'MAXLEN', int(math.ceil(maxEvents * 15 / 16)))
    isTrimmed = true
  end
  if log.bytes - log.start > maxBytes then
    local least = log.bytes - maxBytes * 15 / 16
    redis.call('XTRIM', EVENTS, 'MINID', int(firstThat(function(entry) return bytesBefore(entry) >= least end)))
    isTrimmed = true
  end
  if log.since < now - maxAge - math.min(maxAge / 16, ${MOST_OVERDUE_MS}) then
    redis.call('XTRIM', EVENTS, 'MINID', int(firstThat(function(entry) return timeOf(entry) >= now - maxAge end)))
    isTrimmed = true
  end
  if not isTrimmed then return end
  isChanged = true
  local first = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)[1]
  if first then
    log.oldest, log.start, log.since = offsetOf(first) - 1, bytesBefore(first), timeOf(first)
    -- A seam says where history is whole again.
    log.oldest = tonumber(fieldOf(first, 's') or log.oldest)
  else
    log.oldest, log.start = log.head, log.bytes
  end
  forgetKeys()
end

local function leave()
  log.told = math.max(log.told, log.oldest)
  redis.call('HSET', META, 'epoch', log.epoch, 'head', int(log.head), 'oldest', int(log.oldest), 'bytes', int(log.bytes),
    'start', int(log.start), 'time', int(log.time), 'since', int(log.since), 'history', log.history,
    'told', int(log.told))
  redis.call('PEXPIRE', META, int(maxIdle))
end

-- Most who ask change nothing, and should cost no write on disk and replicas.
local function leaveAsItIs()
  if isChanged or redis.call('PTTL', META) < maxIdle - ${EXPIRY_SLACK_MS} then leave() end
end
`;

/** ARGV further: idempotency key or '', its fingerprint, the events. Tells of them unless replicas are waited for. Replies: 0, epoch, first | 1, epoch, first, count, entries | 2. */
export const APPEND = script(`
${ENTER}
local key, fingerprint, from = ARGV[8], ARGV[9], 10
if key ~= '' then
  local known = redis.call('HGET', KEYS_OF, key)
  local first, count, mark = string.match(known or '', '^(%d+):(%d+):(.*)$')
  if first and tonumber(first) > log.oldest then
    leaveAsItIs()
    if mark ~= fingerprint then return { 2 } end
    local last = int(tonumber(first) + tonumber(count) - 1)
    return { 1, log.epoch, first, count, redis.call('XRANGE', EVENTS, first, last) }
  end
end

local first, count, bytesBehind = log.head + 1, #ARGV - from + 1, log.bytes
if length == 0 then log.since = now end
for index = from, #ARGV do
  log.head, log.bytes = log.head + 1, log.bytes + #ARGV[index]
  redis.call('XADD', EVENTS, int(log.head) .. '-' .. int(now), 'e', ARGV[index], 'b', int(log.bytes))
end
length, log.time = length + count, now
if key ~= '' then
  redis.call('HSET', KEYS_OF, key, int(first) .. ':' .. count .. ':' .. fingerprint)
  redis.call('ZADD', ORDER, int(first), key)
  redis.call('PEXPIRE', KEYS_OF, int(maxAge))
  redis.call('PEXPIRE', ORDER, int(maxAge))
end
trim()
redis.call('PEXPIRE', EVENTS, int(maxAge))
local isTold = ARGV[7] ~= '1'
if isTold then log.told = log.head end
leave()
if isTold and count <= ${MESSAGE.events} and log.bytes - bytesBehind <= ${MESSAGE.bytes} then
  tell(first - 1, first, count, from)
elseif isTold then
  tell(0, log.head, -1)
end
return { 0, log.epoch, int(first) }
`);

/**
 * Tells of what the replicas have by now. KEYS: meta, events, channel. ARGV: epoch, the last offset. Allowed when Redis is
 * full: what was acknowledged must be told.
 */
export const TELL = script(
  `
local read = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'told')
local epoch, head, told = read[1], tonumber(read[2]), tonumber(read[3])
if epoch ~= ARGV[1] then return 0 end
local function int(number) return string.format('%.0f', number) end
local last = math.min(tonumber(ARGV[2]), head)
if last <= told then return 0 end
redis.call('HSET', KEYS[1], 'told', int(last))

local function entryAt(offset) return redis.call('XRANGE', KEYS[2], int(offset), int(offset))[1] end
local first, final = entryAt(told + 1), entryAt(last)
local isSmall = first and final and last - told <= ${MESSAGE.events}
  and tonumber(final[2][4]) - tonumber(first[2][4]) + #first[2][2] <= ${MESSAGE.bytes}
if not isSmall then
  redis.call('SPUBLISH', KEYS[3], epoch .. ' 0 ' .. int(last) .. ' -1')
  return 1
end
local lines = { epoch .. ' ' .. int(told) .. ' ' .. int(told + 1) .. ' ' .. int(last - told) }
for index, entry in ipairs(redis.call('XRANGE', KEYS[2], int(told + 1), int(last))) do
  lines[index + 1] = entry[2][2]
end
redis.call('SPUBLISH', KEYS[3], table.concat(lines, '\\n'))
return 1
`,
  ['allow-oom'],
);

/** A write that changes nothing, so that replicas can be waited for. KEYS: meta. Replies: epoch, head; nothing if there is no log. */
export const TOUCH = script(
  `
local read = redis.call('HMGET', KEYS[1], 'epoch', 'head')
if not read[1] then return {} end
redis.call('HSET', KEYS[1], 'head', read[2])
return read
`,
  ['allow-oom'],
);

/** Replies: epoch, how far readers may have it, oldest. Allowed when Redis is full, since it makes room rather than takes it. */
export const EXTENT = script(
  `
${ENTER}
trim()
leaveAsItIs()
return { log.epoch, int(math.max(log.told, log.oldest)), int(log.oldest) }
`,
  ['allow-oom'],
);

/** KEYS: meta, events. ARGV: epoch, after, most entries, most bytes. Replies: as an extent, and entries; those only of that epoch. */
export const READ = script(
  `
local read = redis.call('HMGET', KEYS[1], 'epoch', 'told', 'oldest')
local epoch, head, oldest = read[1] or '', read[2] or '0', read[3] or '0'
if redis.call('XLEN', KEYS[2]) == 0 then oldest = head end
local entries, bytes = {}, 0
if epoch ~= ARGV[1] then return { epoch, head, oldest, entries } end
local most, mostBytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local from, step = '(' .. ARGV[2] .. '-18446744073709551615', 8
while #entries < most and bytes < mostBytes do
  local found = redis.call('XRANGE', KEYS[2], from, head .. '-18446744073709551615', 'COUNT', math.min(step, most - #entries))
  for _, entry in ipairs(found) do
    if bytes >= mostBytes then break end
    entries[#entries + 1] = entry
    bytes = bytes + #entry[2][2]
    from = '(' .. entry[1]
  end
  if #found < step then break end
  -- Few enough that they fit into the memory of Redis however large each is.
  step = math.min(2 * step, 64)
end
return { epoch, head, oldest, entries }
`,
  ['no-writes'],
);
