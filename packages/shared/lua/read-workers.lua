#!lua flags=no-writes,allow-oom
--[[ Reads all workers whose records were not dropped.

KEYS  1 workers by last heartbeat  2 workers' records

Returns  { now, then for each worker, oldest heartbeat first: id, last heartbeat in ms, 'STARTED_AT JSON' } ]]
--#include lib/time

local reply = { whole(now_ms()) }
local seen = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for at = 1, #seen, 2 do
  local record = redis.call('HGET', KEYS[2], seen[at])
  if record then
    reply[#reply + 1] = seen[at]
    reply[#reply + 1] = whole(tonumber(seen[at + 1]))
    reply[#reply + 1] = record
  end
end
return reply
