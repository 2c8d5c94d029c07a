#!lua flags=allow-oom
--[[ Pauses or resumes a batch that is not settled: an operator, or its conductor outside of its hours. Neither lifts the other's.

KEYS  1 batch
ARGV  1 'paused' (by an operator) | 'resting' (by its hours)  2 '1' or '0'

Returns  { 'missing' } | { 'settled' } | { 'changed' } ]]
--#include lib/time
--#include lib/batch

local status = redis.call('HGET', KEYS[1], 'status')
if not status then return { 'missing' } end
if BATCH_SETTLED[status] then return { 'settled' } end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return { 'changed' }
