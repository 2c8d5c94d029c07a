#!lua flags=allow-oom
--[[ Says that a batch takes no more lines: all of them have ended, or its window has.

KEYS  1 batch
ARGV  1 epoch

Returns  { 'finalizing' } | { 'lost' } ]]
--#include lib/time
--#include lib/batch

if not conducts(KEYS[1], ARGV[1]) then return { 'lost' } end
if redis.call('HGET', KEYS[1], 'status') == 'in_progress' then
  redis.call('HSET', KEYS[1], 'status', 'finalizing', 'finalizing_at', whole(now_ms()))
end
return { 'finalizing' }
