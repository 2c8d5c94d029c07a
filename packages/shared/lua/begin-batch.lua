#!lua flags=allow-oom
--[[ Ends the validation of a batch: it may begin, or it has failed.

KEYS  1 batch  2 open batches  3 input file  4 expiring batches
ARGV  1 id  2 epoch  3 requests in the file  4 model or ''  5 errors as JSON, or '' for none  6 how many  7 retention in ms

Returns  { 'begun' } | { 'failed' } | { 'lost' } ]]
--#include lib/time
--#include lib/batch

if not conducts(KEYS[1], ARGV[2]) then return { 'lost' } end
local now = whole(now_ms())
local status = redis.call('HGET', KEYS[1], 'status')
-- Sent again because the answer was lost.
if status == 'failed' then return { 'failed' } end
if ARGV[5] ~= '' and status == 'validating' then
  redis.call('HSET', KEYS[1], 'status', 'failed', 'failed_at', now, 'errors', ARGV[5], 'error_count', ARGV[6], 'total', ARGV[3])
  redis.call('SREM', KEYS[2], ARGV[1])
  redis.call('HINCRBY', KEYS[3], 'uses', -1)
  redis.call('ZADD', KEYS[4], whole(now_ms() + tonumber(ARGV[7])), ARGV[1])
  return { 'failed' }
end
-- A batch that was cancelled meanwhile still has to account for its lines.
redis.call('HSET', KEYS[1], 'total', ARGV[3], 'model', ARGV[4], 'validated', '1')
if status == 'validating' then redis.call('HSET', KEYS[1], 'status', 'in_progress', 'in_progress_at', now) end
return { 'begun' }
