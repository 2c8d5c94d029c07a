#!lua flags=allow-oom
--[[ Pauses or resumes a batch that is not settled.

KEYS  1 batch
ARGV  1 '1' or '0'

Returns  { 'missing' } | { 'settled' } | { 'changed' } ]]
--#include lib/time
--#include lib/batch

local status = redis.call('HGET', KEYS[1], 'status')
if not status then return { 'missing' } end
if BATCH_SETTLED[status] then return { 'settled' } end
redis.call('HSET', KEYS[1], 'paused', ARGV[1])
return { 'changed' }
