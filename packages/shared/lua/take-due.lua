#!lua flags=allow-oom
--[[ Hands out entries of a tenant's outbox whose instant has come, for a while.

KEYS  1 outbox
ARGV  1 most entries  2 hold in ms

Returns  { entry, … }   each 'JOB_ID.DELIVERY', for a bundle several of them with spaces between

A taken entry comes back after the hold unless the taker removes it: a sweeper that dies loses nothing. ]]
--#include lib/time

local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, entry in ipairs(due) do
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), entry)
end
return due
