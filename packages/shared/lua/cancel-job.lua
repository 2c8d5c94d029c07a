#!lua flags=allow-oom
--[[ Cancels a job that is not settled.

KEYS  1 record  2 counts  3 expiring  4 unsuccessful index  5 outbox
ARGV  1 events channel  2 control channel  3 retention in ms  4 error message

Returns  { 'missing' } | { 'settled' } | { 'cancelled' }

The record is settled first and the holder told afterwards: whatever its call brings is refused by the fence. ]]
--#include lib/time
--#include lib/record

local r = redis.call('HMGET', KEYS[1], 'status', 'tenant', 'id', 'delivery', 'attempts', 'expires_at', 'seq', 'events')
if not r[1] then return { 'missing' } end
if SETTLED[r[1]] then return { 'settled' } end
redis.call('ZREM', KEYS[5], r[3] .. '.' .. r[4])
settle({ KEYS[3], KEYS[4] }, { record = KEYS[1], tenant = r[2], id = r[3], status = r[1], attempts = r[5], expires_at = r[6],
  seq = r[7], events = r[8] }, ARGV[3], 'cancelled', whole(now_ms()), 'error_code', 'job_cancelled', 'error_message', ARGV[4])
finish(KEYS[2], ARGV[1])
if r[1] == 'in_progress' then
  redis.call('PUBLISH', ARGV[2], 'abort ' .. r[3])
end
return { 'cancelled' }
