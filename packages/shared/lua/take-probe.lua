#!lua flags=allow-oom
--[[ Lets one worker of the fleet try a paused lane with a single call.

KEYS  1 lane state
ARGV  1 hold in ms: a worker that dies with the probe gives way after that

Returns  1 taken | 0 not paused by the provider, not due, or another worker's ]]
--#include lib/time

local now = now_ms()
local r = redis.call('HMGET', KEYS[1], 'paused_reason', 'operator_paused', 'probe_at', 'probe_until')
if not r[1] or r[1] == '' or r[2] == '1' then return 0 end
if (tonumber(r[3] or '') or 0) > now then return 0 end
if (tonumber(r[4] or '') or 0) > now then return 0 end
redis.call('HSET', KEYS[1], 'probe_until', whole(now + tonumber(ARGV[1])))
return 1
