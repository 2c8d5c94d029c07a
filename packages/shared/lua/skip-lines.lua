#!lua flags=allow-oom
--[[ Gives lines that will never be called their result: their batch was cancelled or has expired.

KEYS  1 batch  2 lines  3 results
ARGV  1 epoch  2 lines fed before  3 last line read  4 its end in bytes  5 'cancelled' | 'expired'  6… line, custom id, …

Returns  { 'skipped' } | { 'lost' } ]]
--#include lib/time
--#include lib/batch

local r = redis.call('HMGET', KEYS[1], 'epoch', 'fed')
if r[1] ~= ARGV[1] or r[2] ~= ARGV[2] then return { 'lost' } end
local lines = 0
for arg = 6, #ARGV, 2 do
  if redis.call('SETBIT', KEYS[2], ARGV[arg], 1) == 0 then
    redis.call('XADD', KEYS[3], '*', 'line', ARGV[arg], 'custom_id', ARGV[arg + 1], 'status', ARGV[5])
    redis.call('HINCRBY', KEYS[1], 'failed', 1)
    if ARGV[5] == 'expired' then redis.call('HINCRBY', KEYS[1], 'expired', 1) end
  end
  lines = lines + 1
end
redis.call('HSET', KEYS[1], 'fed', whole(ARGV[2] + lines), 'read_line', ARGV[3], 'read_bytes', ARGV[4])
return { 'skipped' }
