#!lua flags=allow-oom
--[[ Records the result of an attempt as the job's one terminal state.

KEYS  1 record  2 counts  3 expiring  4 unsuccessful index
ARGV  1 events channel  2 generation  3 retention in ms  4 status  5… record field, value, …

Returns  { 'settled' }        also when this very settlement is sent again
         { 'lost', status }   the claim is no longer the caller's: nothing was changed

The generation is the fence: a worker that was frozen past its lock and wakes up changes nothing. ]]
--#include lib/time
--#include lib/record

local r = redis.call('HMGET', KEYS[1], 'status', 'tenant', 'id', 'attempts', 'expires_at', 'created_at', 'seq', 'events',
  'generation', 'settled_by')
if r[1] ~= 'in_progress' or r[9] ~= ARGV[2] then
  if r[10] == ARGV[2] then return { 'settled' } end
  return { 'lost', r[1] or 'missing' }
end
local fields = { 'settled_by', ARGV[2] }
for i = 5, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
settle(KEYS, r, ARGV[1], ARGV[3], ARGV[4], now_ms(), fields)
return { 'settled' }
