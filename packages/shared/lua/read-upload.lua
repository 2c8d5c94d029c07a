#!lua flags=no-writes,allow-oom
--[[ Reads an upload with its parts, and the time to judge it by.

KEYS  1 upload

Returns  { now, field, value, … } ]]
--#include lib/time

local reply = redis.call('HGETALL', KEYS[1])
table.insert(reply, 1, whole(now_ms()))
return reply
