#!lua flags=allow-oom
--[[ Settles a job as expired if its time is up.

KEYS  1 record  2 counts  3 expiring  4 unsuccessful index  5 outbox
ARGV  1 events channel  2 control channel  3 retention in ms  4 id

Returns  { 'expired' } | { 'kept' }   kept: settled already, gone, or not due ]]
--#include lib/time
--#include lib/record

local r = redis.call('HMGET', KEYS[1], 'status', 'expires_at', 'delivery', 'tenant', 'attempts', 'seq', 'events')
local now = now_ms()
if not r[1] or SETTLED[r[1]] then
  redis.call('ZREM', KEYS[3], ARGV[4])
  return { 'kept' }
end
if not tonumber(r[2] or '') or tonumber(r[2]) > now then return { 'kept' } end
redis.call('ZREM', KEYS[5], ARGV[4] .. '.' .. r[3])
settle({ KEYS[3], KEYS[4] }, { record = KEYS[1], tenant = r[4], id = ARGV[4], status = r[1], attempts = r[5],
  expires_at = r[2], seq = r[6], events = r[7] }, ARGV[3], 'expired', whole(now), 'error_code', 'job_expired',
  'error_message', 'This request could not be executed before it expired.')
finish(KEYS[2], ARGV[1])
if r[1] == 'in_progress' then
  redis.call('PUBLISH', ARGV[2], 'abort ' .. ARGV[4])
end
return { 'expired' }
