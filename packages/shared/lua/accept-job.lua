#!lua
--[[ Accepts jobs of one tenant, one after the other: each queued, on record, and sure to be delivered.

KEYS  1 counts  2 jobs index  3 outbox  4 expiring  5 paces  then for each job its record and, with an idempotency
      key, its idempotency record
ARGV  1 tenant  2 outbox grace in ms  3 idempotency life in ms  4 moment of a bundle in ms  5 most in a bundle
      then for each job: how many values follow  id  due not before (run_at in unix ms) or ''  expires_after in ms or ''
      content hash, or '' without an idempotency key  record field, value, … which begin with lane, priority and, where
      they were counted, tokens

Returns  for each job, in their order:
         { 'accepted', now, due, delivery id, tokens, … }   due: when it may be delivered, unix ms; later than now for
                                    run_at. Then what its caller puts into the queue as one entry: its own delivery and
                                    those that travel with it; nothing when it travels with another, or is not due, or
                                    was accepted before
         { 'replayed', id }         the key was used before with the same content
         { 'conflict', id }         the key was used before with other content
         { 'broken', message }      this job was not accepted; the others are not affected. The message begins with OOM
                                    when new work would use the reserve for accepted work

Atomic: record, index, expiry, outbox entry and idempotency record of a job stand together or not at all. No
allow-oom: a full Redis refuses all of them here, before anything is promised. An idempotency key whose job is gone (deleted,
or its retention ended) is ignored. Records are in the index's slot. ]]
--#include lib/time
--#include lib/memory
--#include lib/pace
--#include lib/record

local now = now_ms()
local at = whole(now)
local tenant, grace, idempotency_life = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local moment_ms, most_in_bundle = tonumber(ARGV[4]), tonumber(ARGV[5])
local retry_at = whole(now + grace)
local first_event = '1|job.queued|' .. at .. '|0|'
local index, outbox = {}, {}
-- lane and priority → the bundle that the next job joins; all bundles.
local open, bundles = {}, {}
local sizes = {}
-- Read once for all jobs of this call, since it costs about as much as two commands.
local is_full

local function size_of(lane)
  local size = sizes[lane]
  if not size then
    local at_once = math.floor(pace_of(KEYS[5], lane, now) * moment_ms / 1000)
    size = math.max(1, math.min(at_once, most_in_bundle))
    sizes[lane] = size
  end
  return size
end

-- Into the bundle of its lane; the reply of the first of a bundle says all that is in it.
local function travel(reply, delivery, lane, priority, tokens)
  local queue = lane .. ' ' .. priority
  local bundle = open[queue]
  if not bundle or #bundle.ids == size_of(lane) then
    bundle = { ids = {}, reply = reply }
    open[queue] = bundle
    bundles[#bundles + 1] = bundle
  end
  bundle.ids[#bundle.ids + 1] = delivery
  bundle.reply[#bundle.reply + 1] = delivery
  bundle.reply[#bundle.reply + 1] = tokens
end

local function store(record, id, ...)
  redis.call('HSET', record, 'v', '1', 'id', id, 'tenant', tenant, 'status', 'queued', 'attempts', '0', 'calls', '0',
    'rescues', '0', 'generation', '0', 'delivery', '1', 'created_at', at, 'seq', '1', 'events', first_event, ...)
end

-- Whether an idempotency key's job is gone. A key may also belong to a batch or a file.
local function is_gone(record, id, other)
  if string.sub(other, 1, 4) ~= 'job_' then return false end
  return redis.call('EXISTS', string.sub(record, 1, -1 - #id) .. other) == 0
end

local function accept(record, idempotency, from, to)
  local id, run_at, expires_after, hash = ARGV[from], tonumber(ARGV[from + 1]), ARGV[from + 2], ARGV[from + 3]
  if idempotency then
    local used = redis.call('HMGET', idempotency, 'id', 'hash')
    if used[1] and used[1] ~= id and not is_gone(record, id, used[1]) then
      return { used[2] == hash and 'replayed' or 'conflict', used[1] }
    end
  end
  local is_later = run_at and run_at > now
  local accepted = { 'accepted', now, is_later and run_at or now }
  -- The client library sends a script again when the connection broke before its answer came.
  if redis.call('EXISTS', record) == 1 then return accepted end
  if is_full == nil then is_full = is_reserve_touched() end
  if is_full then return { 'broken', REFUSAL } end

  if expires_after == '' then
    store(record, id, unpack(ARGV, from + 4, to))
  else
    local expires_at = whole(now + tonumber(expires_after))
    redis.call('ZADD', KEYS[4], expires_at, id)
    store(record, id, 'expires_at', expires_at, unpack(ARGV, from + 4, to))
  end
  if idempotency then
    redis.call('HSET', idempotency, 'id', id, 'hash', hash)
    redis.call('PEXPIRE', idempotency, idempotency_life)
  end
  count('queued', 1)
  index[#index + 1] = at
  index[#index + 1] = id
  -- Until the process that accepted it has put it into its queue, the outbox stands for the delivery.
  if is_later then
    outbox[#outbox + 1] = ARGV[from + 1]
    outbox[#outbox + 1] = id .. '.1'
  else
    local tokens = ARGV[from + 8] == 'tokens' and ARGV[from + 9] or ''
    travel(accepted, id .. '.1', ARGV[from + 5], ARGV[from + 7], tokens)
  end
  return accepted
end

local replies = {}
local key, arg = 6, 6
while arg <= #ARGV do
  local last = arg + tonumber(ARGV[arg])
  local has_idempotency = ARGV[arg + 4] ~= ''
  replies[#replies + 1] = move(accept, KEYS[key], has_idempotency and KEYS[key + 1] or nil, arg + 1, last)
  key = key + (has_idempotency and 2 or 1)
  arg = last + 1
end
for _, bundle in ipairs(bundles) do
  outbox[#outbox + 1] = retry_at
  outbox[#outbox + 1] = table.concat(bundle.ids, ' ')
end
if #index > 0 then
  redis.call('ZADD', KEYS[2], unpack(index))
  redis.call('ZADD', KEYS[3], unpack(outbox))
end
finish(KEYS[1])
return replies
