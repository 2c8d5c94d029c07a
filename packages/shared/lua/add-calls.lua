#!lua flags=allow-oom
--[[ Adds a process's calls of a lane to the counts of one interval.

KEYS  1 calls of an interval
ARGV  1 calls  2 of these refused  3 how long they are kept, in ms

Returns  nothing ]]
local calls, refused = assert(tonumber(ARGV[1])), assert(tonumber(ARGV[2]))
local life_ms = assert(tonumber(ARGV[3]))
redis.call('HINCRBY', KEYS[1], 'calls', string.format('%d', calls))
if refused > 0 then redis.call('HINCRBY', KEYS[1], 'refused', string.format('%d', refused)) end
redis.call('PEXPIRE', KEYS[1], string.format('%d', life_ms))
