#!lua flags=allow-oom
--[[ Makes a lane known to all workers.

KEYS  1 lanes
ARGV  1 lane id  2 descriptor (JSON)  3 most lanes  4 lanes channel  5 '1' if accepted work needs it, '0' if new work does

Returns  { 'known' } | { 'added' } | { 'too_many' }

Works at the memory limit for a lane that is known or that an accepted batch needs; the number of lanes is bounded. For new work
it fails with an error that begins with OOM when the lane would use the reserve for accepted work. ]]
--#include lib/memory
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return { 'known' } end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return { 'too_many' } end
if ARGV[5] ~= '1' and is_reserve_touched() then return redis.error_reply(REFUSAL) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[1])
return { 'added' }
