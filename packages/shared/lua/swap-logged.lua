#!lua flags=allow-oom
--[[ Records the reason that the log gives for a held-up lane, and returns the previous one.

KEYS  1 logged
ARGV  1 why the lane is held up, or '' if it is not  2 how long the reason is kept, in ms

Returns  the previous reason, or '' for none

Atomic: only the first process to record a change gets the previous reason, so only that process logs. ]]
local keep_ms = assert(tonumber(ARGV[2]), 'swap-logged: ARGV[2] must be a number of ms')
local before = redis.call('GET', KEYS[1]) or ''
if ARGV[1] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', string.format('%d', keep_ms))
end
return before
