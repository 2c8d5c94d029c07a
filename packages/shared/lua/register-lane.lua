#!lua
--[[ Makes a lane known to all workers.

KEYS  1 lanes
ARGV  1 lane id  2 descriptor (JSON)  3 most lanes  4 lanes channel

Returns  { 'known' } | { 'added' } | { 'too_many' } ]]
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return { 'known' } end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return { 'too_many' } end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[1])
return { 'added' }
