#!lua
--[[ Begins an upload in parts.

KEYS  1 upload
ARGV  1 how long it may be added to, in ms  2 how long its record is kept, in ms  3… field, value, …

Returns  { created_at, expires_at } ]]
--#include lib/time

local now = now_ms()
redis.call('HSET', KEYS[1], 'status', 'pending', 'created_at', whole(now), 'expires_at', whole(now + tonumber(ARGV[1])),
  unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('HMGET', KEYS[1], 'created_at', 'expires_at')
