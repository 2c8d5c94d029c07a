#!lua
--[[ Begins an upload in parts.

KEYS  1 upload  2 pending uploads
ARGV  1 how long it may be added to, in ms  2 how long its record is kept, in ms  3 its bytes, as they are announced
      4 most pending  5 most bytes of all of them  6 id  7… field, value, …

Returns  { 'created', created_at, expires_at }
         { 'full' }   the tenant has begun too many, or too large ones; one alone is always let in

Not flagged allow-oom. Fails with an error that begins with OOM when new work would use the reserve for accepted work. ]]
--#include lib/time
--#include lib/memory

local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', whole(now))
local stored = redis.call('HMGET', KEYS[1], 'created_at', 'expires_at')
-- The client library sends a script again when the connection broke before its answer came.
if stored[1] then return { 'created', stored[1], stored[2] } end
local pending = redis.call('ZRANGE', KEYS[2], 0, -1)
local bytes = tonumber(ARGV[3])
for _, member in ipairs(pending) do bytes = bytes + tonumber(string.match(member, '%d+$')) end
if #pending > 0 and (#pending >= tonumber(ARGV[4]) or bytes > tonumber(ARGV[5])) then return { 'full' } end
if is_reserve_touched() then return redis.error_reply(REFUSAL) end
local expires_at = now + tonumber(ARGV[1])
redis.call('HSET', KEYS[1], 'status', 'pending', 'created_at', whole(now), 'expires_at', whole(expires_at), 'id', ARGV[6],
  'bytes', ARGV[3], unpack(ARGV, 7))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], whole(expires_at), ARGV[6] .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return { 'created', whole(now), whole(expires_at) }
