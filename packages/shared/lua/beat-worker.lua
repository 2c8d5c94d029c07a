#!lua flags=allow-oom
--[[ Renews the record of a worker process, and drops records that were not renewed for a long time.

KEYS  1 workers by last heartbeat  2 workers' records
ARGV  1 worker id  2 its start as this script returned it, or '' with its first heartbeat  3 record as JSON
      4 time without a heartbeat after which a record is dropped, in ms

Returns  when the worker started, in ms on Redis' clock

Atomic: a reader never sees a record without its last heartbeat. Can be sent twice. ]]
--#include lib/time

local now = now_ms()
local started = ARGV[2] == '' and whole(now) or whole(tonumber(ARGV[2]))
local oldest = whole(now - tonumber(ARGV[4]))
redis.call('ZADD', KEYS[1], whole(now), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], started .. ' ' .. ARGV[3])
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', oldest, 'LIMIT', 0, 100)
if #gone > 0 then
  redis.call('ZREM', KEYS[1], unpack(gone))
  redis.call('HDEL', KEYS[2], unpack(gone))
end
return started
