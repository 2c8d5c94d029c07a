#!lua flags=allow-oom
--[[ Announces the blob of a job's answer before it is written. The blob is removed unless a record refers to it in time. Works
at the memory limit, since it finishes accepted work.

KEYS  1 loose blobs
ARGV  1 the blob  2 how long it is held, in ms

Returns  nothing ]]
--#include lib/time
local hold_ms = assert(tonumber(ARGV[2]), 'hold-answer: ARGV[2] must be a number of ms')
redis.call('ZADD', KEYS[1], whole(now_ms() + hold_ms), 'blob ' .. ARGV[1])
