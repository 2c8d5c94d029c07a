#!lua flags=allow-oom
--[[ Announces a blob that will hold the answer of a job, before it is written: unless a record takes it in time, it is
removed. Works at the memory limit, since it is accepted work that ends so.

KEYS  1 loose blobs
ARGV  1 the blob  2 how long it is held, in ms

Returns  nothing ]]
--#include lib/time
local hold_ms = assert(tonumber(ARGV[2]), 'hold-answer: ARGV[2] must be a number of ms')
redis.call('ZADD', KEYS[1], whole(now_ms() + hold_ms), 'blob ' .. ARGV[1])
