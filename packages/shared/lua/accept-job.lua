#!lua
--[[ Accepts a job: queued, on record, and sure to be delivered.

KEYS  1 record  2 counts  3 jobs index  4 outbox  5 expiring  6 idempotency record (only with an idempotency key)
ARGV  1 id  2 tenant  3 events channel  4 outbox grace in ms  5 run_at in unix ms or ''
      6 expires_after in ms or ''  7 content hash or ''  8 idempotency life in ms  9… record field, value, …

Returns  { 'accepted', now, due }   due: when it may be delivered, unix ms; later than now for run_at
         { 'replayed', id }         the key was used before with the same content
         { 'conflict', id }         the key was used before with other content

Atomic: record, index, expiry, outbox entry and idempotency record stand together or not at all. No
allow-oom: a full Redis refuses new work here, before anything is promised. ]]
--#include lib/time
--#include lib/record

if KEYS[6] then
  local used = redis.call('HMGET', KEYS[6], 'id', 'hash')
  if used[1] and used[1] ~= ARGV[1] then
    return { used[2] == ARGV[7] and 'replayed' or 'conflict', used[1] }
  end
end

local now = now_ms()
local due = now
if ARGV[5] ~= '' and tonumber(ARGV[5]) > now then
  due = tonumber(ARGV[5])
end

-- The client library sends a script again when the connection broke before its answer came.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 'accepted', now, due }
end

local fields = {
  'v', 1, 'id', ARGV[1], 'tenant', ARGV[2], 'status', 'queued', 'attempts', 0, 'calls', 0, 'rescues', 0,
  'generation', 0, 'delivery', 1, 'created_at', whole(now), 'run_at', ARGV[5],
  'seq', 1, 'events', '1|job.queued|' .. whole(now) .. '|0|',
}
for i = 9, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
if ARGV[6] ~= '' then
  local expires_at = now + tonumber(ARGV[6])
  fields[#fields + 1] = 'expires_at'
  fields[#fields + 1] = whole(expires_at)
  redis.call('ZADD', KEYS[5], expires_at, ARGV[1])
end
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('HINCRBY', KEYS[2], 'queued', 1)
redis.call('ZADD', KEYS[3], now, ARGV[1])
-- Until the process that accepted it has put it into its queue, the outbox stands for the delivery.
redis.call('ZADD', KEYS[4], due > now and due or now + tonumber(ARGV[4]), ARGV[1] .. '.1')
if KEYS[6] then
  redis.call('HSET', KEYS[6], 'id', ARGV[1], 'hash', ARGV[7])
  redis.call('PEXPIRE', KEYS[6], ARGV[8])
end
return { 'accepted', now, due }
