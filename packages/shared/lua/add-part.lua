#!lua
--[[ Adds a part, whose blob is complete, to an upload.

KEYS  1 upload  2 loose blobs
ARGV  1 part id  2 bytes  3 its blob  4 most parts

Returns  { 'added', created_at } | { 'missing' } | { 'not_pending', status } | { 'too_many' }
         { 'swept' }   the blob was not announced, or took so long that it may have been removed

The blob stays loose: no file is made of it before the upload completes, and its time is longer than the upload's.
Not flagged allow-oom. Fails with an error that begins with OOM when new work would use the reserve for accepted work. ]]
--#include lib/time
--#include lib/memory
--#include lib/file

local now = now_ms()
local r = redis.call('HMGET', KEYS[1], 'status', 'expires_at', 'part_count')
if not r[1] then return { 'missing' } end
if r[1] ~= 'pending' then return { 'not_pending', r[1] } end
if now >= tonumber(r[2]) then return { 'not_pending', 'expired' } end
-- The client library sends a script again when the connection broke before its answer came.
local stored = redis.call('HGET', KEYS[1], 'part:' .. ARGV[1])
if stored then return { 'added', string.match(stored, '^%d+') } end
if tonumber(r[3] or '0') >= tonumber(ARGV[4]) then return { 'too_many' } end
if not is_held(KEYS[2], ARGV[3], now) then return { 'swept' } end
if is_reserve_touched() then return redis.error_reply(REFUSAL) end
redis.call('HSET', KEYS[1], 'part:' .. ARGV[1], whole(now) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
redis.call('HINCRBY', KEYS[1], 'part_count', 1)
return { 'added', whole(now) }
