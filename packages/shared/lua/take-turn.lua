#!lua flags=allow-oom
--[[ Gives a chore to one worker, unless another has it.

KEYS  1 turn
ARGV  1 worker id  2 for how long, in ms

Returns  1 taken | 0 another's ]]
local for_ms = assert(tonumber(ARGV[2]), 'take-turn: ARGV[2] must be a number of ms')
return redis.call('SET', KEYS[1], ARGV[1], 'PX', string.format('%d', for_ms), 'NX') and 1 or 0
