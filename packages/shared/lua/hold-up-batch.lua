#!lua flags=allow-oom
--[[ Records what holds up a batch's conductor, or that nothing does any more.

KEYS  1 batch
ARGV  1 epoch  2 reason: 'storage' | 'redis_full', or '' for none  3 message

Returns  { 'held_up' } | { 'going_on' } | { 'lost' }   lost: another conductor ]]
--#include lib/time
--#include lib/batch

if not conducts(KEYS[1], ARGV[1]) then return { 'lost' } end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], 'held_up_reason', 'held_up_message')
  return { 'going_on' }
end
redis.call('HSET', KEYS[1], 'held_up_reason', ARGV[2], 'held_up_message', ARGV[3])
return { 'held_up' }
