#!lua flags=allow-oom
--[[ Gives one worker of the fleet the right to try a paused or unreachable lane with a single call.

KEYS  1 lane state
ARGV  1 how long this worker holds the probe, in ms: after that another may take it

Returns  1 taken | 0 not due, held by another worker, paused by an operator, or neither paused nor unreachable

Atomic: two workers cannot both take it. ]]
--#include lib/time

local hold_ms = tonumber(ARGV[1])
assert(hold_ms, 'take-probe: the hold is not a number')
local now = now_ms()
local r = redis.call('HMGET', KEYS[1], 'paused_reason', 'operator_paused', 'probe_at', 'probe_until', 'unreachable_since',
  'trial_at', 'trial_until')
if r[2] == '1' then return 0 end
local is_paused = r[1] and r[1] ~= ''
if not is_paused and not r[5] then return 0 end
local due, held = r[3], r[4]
if not is_paused then due, held = r[6], r[7] end
if (tonumber(due or '') or 0) > now or (tonumber(held or '') or 0) > now then return 0 end
local held_until = whole(now + hold_ms)
if is_paused then
  redis.call('HSET', KEYS[1], 'probe_until', held_until)
else
  redis.call('HSET', KEYS[1], 'trial_until', held_until, 'trial_began', whole(now))
end
return 1
