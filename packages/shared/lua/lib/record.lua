-- Helpers over job records. Needs lib/time.

local MAX_EVENTS = 100

local SETTLED = { completed = true, failed = true, cancelled = true, expired = true }

-- The event log with one more line "seq|type|at_ms|attempts|detail", and its new sequence. The caller writes both with
-- the rest of the record: one command instead of three. at and attempts are text.
-- The log keeps its newest MAX_EVENTS lines: a job that is refused all night must not grow without bound.
local function next_event(log, seq_before, at, kind, attempts, detail)
  local seq = tonumber(seq_before) + 1
  if seq > MAX_EVENTS then
    log = string.sub(log, string.find(log, '\n', 1, true) + 1)
  end
  seq = whole(seq)
  return seq, log .. '\n' .. seq .. '|' .. kind .. '|' .. at .. '|' .. attempts .. '|' .. detail
end

-- What the moves of this call add up to. finish() writes it, once for all of them.
local counted, changes = {}, {}
-- The same for lines: batch → what it counts, and the lines that leave its window.
local line_counts, left = {}, {}

local function count(status, by)
  counted[status] = (counted[status] or 0) + by
end

-- A line of a batch is a job that its batch counts, and that nobody waits for by itself.
local function is_line(id)
  return string.sub(id, 1, 4) == 'req_'
end

local function move_count(id, from, to)
  if is_line(id) then return end
  count(from, -1)
  count(to, 1)
end

-- Tells everyone who waits for this job that it changed. They read the record; the message is only a nudge.
local function announce(tenant, id, status, seq)
  if is_line(id) then return end
  changes[#changes + 1] = tenant .. ' ' .. id .. ' ' .. status .. ' ' .. seq
end

-- As many as may be unpacked into one command.
local MOST_UNPACKED = 1000

-- The end of every script that moves jobs: the counts, and one message with a line for each change.
local function finish(counts, channel)
  for batch, fields in pairs(line_counts) do
    for field, by in pairs(fields) do redis.call('HINCRBY', batch, field, whole(by)) end
  end
  for key, ids in pairs(left) do
    for from = 1, #ids, MOST_UNPACKED do
      local to = math.min(#ids, from + MOST_UNPACKED - 1)
      redis.call(string.sub(key, -7) == ':window' and 'SREM' or 'ZREM', key, unpack(ids, from, to))
    end
  end
  for status, by in pairs(counted) do
    if by ~= 0 then redis.call('HINCRBY', counts, status, whole(by)) end
  end
  if #changes > 0 then redis.call('PUBLISH', channel, table.concat(changes, '\n')) end
end

-- One move of several. What breaks one of them, such as a record that is not one of ours, is told to its own caller
-- and must not reach the others, whose moves are half made by then.
local function move(one, ...)
  local ok, reply = pcall(one, ...)
  if ok then return reply end
  return { 'broken', type(reply) == 'table' and reply.err or tostring(reply) }
end

local function count_line(batch, field)
  local fields = line_counts[batch]
  if not fields then
    fields = {}
    line_counts[batch] = fields
  end
  fields[field] = (fields[field] or 0) + 1
end

local function leave(key, id)
  local ids = left[key]
  if not ids then
    ids = {}
    left[key] = ids
  end
  ids[#ids + 1] = id
end

-- The one result of a line: counted in its batch and handed to the conductor, which writes it to a file. A second one is
-- dropped. Its record is no longer needed. Returns whether it was the first.
local function settle_line(keys, job, status, ...)
  local line = job.line or redis.call('HMGET', job.record, 'batch', 'line', 'custom_id')
  local batch = line[1]
  local is_first = redis.call('SETBIT', batch .. ':lines', line[2], 1) == 0
  if is_first then
    redis.call('XADD', batch .. ':results', '*', 'line', line[2], 'custom_id', line[3], 'status', status, ...)
    count_line(batch, status == 'completed' and 'completed' or 'failed')
    if status == 'expired' then count_line(batch, 'expired') end
  else
    count_line(batch, 'duplicates')
  end
  leave(batch .. ':window', job.id)
  leave(keys[1], job.id)
  redis.call('DEL', job.record)
  return is_first
end

-- Writes the one terminal record of a job. The caller has checked that it may: first writer wins.
-- keys: { expiring, unsuccessful }. job: the record's key and what it holds now; line: batch, line and custom_id of a line,
-- where they were read already. at: text. ...: more field, value pairs. Returns false for a second result of a line, which is
-- dropped.
local function settle(keys, job, retention_ms, status, at, ...)
  if is_line(job.id) then return settle_line(keys, job, status, ...) end
  local seq, log = next_event(job.events, job.seq, at, 'job.' .. status, job.attempts, '')
  redis.call('HSET', job.record, 'status', status, 'settled_at', at, 'seq', seq, 'events', log, ...)
  redis.call('PEXPIRE', job.record, retention_ms)
  move_count(job.id, job.status, status)
  if job.expires_at and job.expires_at ~= '' then
    redis.call('ZREM', keys[1], job.id)
  end
  if status ~= 'completed' then
    redis.call('ZADD', keys[2], redis.call('HGET', job.record, 'created_at'), status .. ' ' .. job.id)
  end
  announce(job.tenant, job.id, status, seq)
  return true
end
