-- Helpers over one job record. Needs lib/time.

local MAX_EVENTS = 100

local SETTLED = { completed = true, failed = true, cancelled = true, expired = true }

-- Appends one line "seq|type|at_ms|attempts|detail" to the record's event log and returns the new sequence.
-- The log keeps its newest MAX_EVENTS lines: a job that is refused all night must not grow without bound.
local function log_event(record, at, kind, attempts, detail)
  local seq = redis.call('HINCRBY', record, 'seq', 1)
  local line = seq .. '|' .. kind .. '|' .. whole(at) .. '|' .. attempts .. '|' .. detail
  local log = redis.call('HGET', record, 'events')
  if log then
    if seq > MAX_EVENTS then
      log = string.sub(log, string.find(log, '\n', 1, true) + 1)
    end
    line = log .. '\n' .. line
  end
  redis.call('HSET', record, 'events', line)
  return seq
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
-- fields: a flat list of extra field, value pairs. keys: { record, counts, expiring, unsuccessful }.
local function settle(keys, channel, retention_ms, status, at, fields)
  local record = keys[1]
  local was = redis.call('HMGET', record, 'status', 'tenant', 'id', 'attempts', 'expires_at', 'created_at')
  local update = { 'status', status, 'settled_at', whole(at), 'retry_at', '', 'wait_reason', '', 'wait_message', '' }
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
  local seq = log_event(record, at, 'job.' .. status, was[4], '')
  announce(channel, was[2], was[3], status, seq)
end
