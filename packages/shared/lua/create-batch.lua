#!lua
--[[ Creates a batch, with its hold on the input file.

KEYS  1 batch  2 batches index  3 open batches  4 input file  5 idempotency record (only with an idempotency key)
ARGV  1 id  2 content hash or ''  3 idempotency life in ms  4 completion window in ms  5 new batches channel
      6 tenant  7… record field, value, …

Returns  { 'created' } | { 'replayed', id } | { 'conflict', id } | { 'no_input' }

Atomic. Not flagged allow-oom. Fails with an error that begins with OOM when new work would use the reserve for accepted work.
An idempotency key whose batch is gone, since its retention ended, is ignored. Records are in the batch's slot. ]]
--#include lib/time
--#include lib/memory

if KEYS[5] then
  local used = redis.call('HMGET', KEYS[5], 'id', 'hash')
  local records = string.sub(KEYS[1], 1, -1 - #ARGV[1])
  local function is_gone(id)
    return string.sub(id, 1, 6) == 'batch_' and redis.call('EXISTS', records .. id) == 0
  end
  if used[1] and used[1] ~= ARGV[1] and not is_gone(used[1]) then
    return { used[2] == ARGV[2] and 'replayed' or 'conflict', used[1] }
  end
end
-- The client library sends a script again when the connection broke before its answer came.
if redis.call('EXISTS', KEYS[1]) == 1 then return { 'created' } end
if redis.call('EXISTS', KEYS[4]) == 0 then return { 'no_input' } end
if is_reserve_touched() then return redis.error_reply(REFUSAL) end
local now = now_ms()
redis.call('HSET', KEYS[1], 'v', '1', 'id', ARGV[1], 'status', 'validating', 'created_at', whole(now), 'expires_at',
  whole(now + ARGV[4]), 'total', '0', 'completed', '0', 'failed', '0', 'fed', '0', 'epoch', '0', unpack(ARGV, 7))
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('HINCRBY', KEYS[4], 'uses', 1)
if KEYS[5] then
  redis.call('HSET', KEYS[5], 'id', ARGV[1], 'hash', ARGV[2])
  redis.call('PEXPIRE', KEYS[5], ARGV[3])
end
redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' ' .. ARGV[1])
return { 'created' }
