#!lua flags=allow-oom
--[[ Removes the record of a worker that stopped cleanly.

KEYS  1 workers by last heartbeat  2 workers' records
ARGV  1 worker id

Returns  { 'forgotten' }

Atomic. Can be sent twice. ]]
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return { 'forgotten' }
