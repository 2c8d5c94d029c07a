#!lua flags=allow-oom
--[[ Removes the record of a worker that stopped by itself.

KEYS  1 workers by the last beat  2 workers' records
ARGV  1 worker id

Returns  { 'forgotten' }.  Can be sent twice. ]]
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return { 'forgotten' }
