#!lua flags=allow-oom
--[[ Puts on record what the log says of a lane, and tells what it said before.

KEYS  1 logged
ARGV  1 the reason that the lane stands still, or '' when it is called again  2 how long that is kept, in ms

Returns  what stood there, or '' for nothing: of the processes that see a change, the first finds the old one and logs ]]
local keep_ms = assert(tonumber(ARGV[2]), 'swap-logged: ARGV[2] must be a number of ms')
local before = redis.call('GET', KEYS[1]) or ''
if ARGV[1] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', string.format('%d', keep_ms))
end
return before
