#!lua flags=allow-oom
--[[ Takes or keeps the conducting of a batch.

KEYS  1 batch  2 open batches
ARGV  1 id  2 worker id  3 hold in ms

Returns  { 'taken', epoch }   the caller conducts it for as long as the hold; epoch rises with each new conductor
         { 'held' }           by another whose hold has not run out
         { 'over' }           settled or gone: nothing to conduct

The epoch is the fence of everything that a conductor writes. ]]
--#include lib/time
--#include lib/batch

local r = redis.call('HMGET', KEYS[1], 'status', 'conductor', 'held_until', 'epoch')
if not r[1] or BATCH_SETTLED[r[1]] then
  redis.call('SREM', KEYS[2], ARGV[1])
  return { 'over' }
end
local now = now_ms()
local epoch = r[4]
if r[2] ~= ARGV[2] then
  if r[2] and r[2] ~= '' and tonumber(r[3]) > now then return { 'held' } end
  epoch = whole(r[4] + 1)
end
redis.call('HSET', KEYS[1], 'conductor', ARGV[2], 'held_until', whole(now + ARGV[3]), 'epoch', epoch)
return { 'taken', epoch }
