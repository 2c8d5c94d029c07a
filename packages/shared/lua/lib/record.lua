-- Helpers over one job record. Needs lib/time.

local MAX_EVENTS = 100

local SETTLED = { completed = true, failed = true, cancelled = true, expired = true }

-- The event log with one more line "seq|type|at_ms|attempts|detail", and its new sequence. The caller writes both with
-- the rest of the record: one command instead of three.
-- The log keeps its newest MAX_EVENTS lines: a job that is refused all night must not grow without bound.
local function next_event(log, seq_before, at, kind, attempts, detail)
  local seq = tonumber(seq_before) + 1
  if seq > MAX_EVENTS then
    log = string.sub(log, string.find(log, '\n', 1, true) + 1)
  end
  return seq, log .. '\n' .. seq .. '|' .. kind .. '|' .. whole(at) .. '|' .. attempts .. '|' .. detail
end

-- Tells everyone who waits for this job that it changed. They read the record; the message is only a nudge.
local function announce(channel, tenant, id, status, seq)
  redis.call('PUBLISH', channel, tenant .. ' ' .. id .. ' ' .. status .. ' ' .. seq)
end

local function move_count(counts, from, to)
  redis.call('HINCRBY', counts, from, -1)
  redis.call('HINCRBY', counts, to, 1)
end

-- Writes the one terminal record of a job. The caller has checked that it may: first writer wins.
-- keys: { record, counts, expiring, unsuccessful }. was: what SETTLE_FIELDS hold now. fields: a flat list of extra
-- field, value pairs.
local SETTLE_FIELDS = { 'status', 'tenant', 'id', 'attempts', 'expires_at', 'created_at', 'seq', 'events' }

local function settle(keys, was, channel, retention_ms, status, at, fields)
  local record = keys[1]
  local seq, log = next_event(was[8], was[7], at, 'job.' .. status, was[4], '')
  local update = { 'status', status, 'settled_at', whole(at), 'seq', seq, 'events', log }
  for i = 1, #fields do
    update[#update + 1] = fields[i]
  end
  redis.call('HSET', record, unpack(update))
  redis.call('PEXPIRE', record, retention_ms)
  move_count(keys[2], was[1], status)
  if was[5] and was[5] ~= '' then
    redis.call('ZREM', keys[3], was[3])
  end
  if status ~= 'completed' then
    redis.call('ZADD', keys[4], was[6], status .. ' ' .. was[3])
  end
  announce(channel, was[2], was[3], status, seq)
end
