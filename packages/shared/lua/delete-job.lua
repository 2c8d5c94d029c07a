#!lua flags=allow-oom
--[[ Removes a settled job: its record and its index entries. The blob of its answer becomes due for removal.

KEYS  1 record  2 jobs index  3 unsuccessful index  4 loose blobs
ARGV  1 id

Returns  { 'missing' } | { 'not_settled', status } | { 'deleted', blob or '' }

Atomic: all of that. The caller removes the blob's bytes afterwards; after a crash in between, the cleaner of loose blobs does.
The record of an idempotency key stays until it expires; accept-job ignores it because its job is gone. ]]
--#include lib/time
--#include lib/record

local id = ARGV[1]
local r = redis.call('HMGET', KEYS[1], 'status', 'response_blob')
if not r[1] then return { 'missing' } end
if not SETTLED[r[1]] then return { 'not_settled', r[1] } end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], id)
if r[1] ~= 'completed' then redis.call('ZREM', KEYS[3], r[1] .. ' ' .. id) end
if r[2] then redis.call('ZADD', KEYS[4], whole(now_ms()), 'blob ' .. r[2]) end
return { 'deleted', r[2] or '' }
