#!lua flags=allow-oom
--[[ Cools a lane down after a refusal (429), for everyone.

KEYS  1 lane state
ARGV  1 lane id  2 lanes channel  3 how long the provider said in ms, or ''  4 longest cool-down in ms
      5 a random number from 0 up to 1  6 base of the own delay in ms  7 cap of the own delay in ms

Returns the lane's state, see lib/lane.

One episode, however many answers bring it: refusals that arrive while the lane is cooling may prolong it to what
they say, and do not raise the delay used when the provider says nothing. That delay is full jitter over
base × 2^(episodes - 1); a minute without a refusal starts the count again. What the provider says counts for no less than a tenth
of a second, doubled with each episode since the last success, up to the same cap. ]]
--#include lib/time
--#include lib/lane

-- 'Retry-After: 0' or one in the past would have the lane called again at once, by every slot.
local FLOOR_MS = 100

local now = now_ms()
local r = redis.call('HMGET', KEYS[1], 'cooling_until', 'episodes', 'last_refused_at', 'succeeded_at', 'refused_in_row')
local until_now = tonumber(r[1] or '') or 0
local episodes = tonumber(r[2] or '') or 0
local last = tonumber(r[3] or '') or 0
local in_row = tonumber(r[5] or '') or 0
if until_now <= now then
  episodes = (now - math.max(last, until_now) > 60000) and 1 or episodes + 1
  in_row = (episodes == 1 or (tonumber(r[4] or '') or 0) > last) and 1 or in_row + 1
end
local said = tonumber(ARGV[3])
local random = tonumber(ARGV[5])
local cool_ms
if said then
  -- A little over what the provider says, so that workers do not come back on the very millisecond.
  cool_ms = math.min(said + random * math.min(0.1 * said, 5000), tonumber(ARGV[4]))
  if until_now <= now then
    local floor_ms = math.min(tonumber(ARGV[7]), FLOOR_MS * 2 ^ math.min(in_row - 1, 20))
    cool_ms = math.max(cool_ms, floor_ms * (0.75 + 0.25 * random))
  end
else
  cool_ms = math.max(100, random * math.min(tonumber(ARGV[7]), tonumber(ARGV[6]) * 2 ^ math.min(episodes - 1, 20)))
end
if not said and until_now > now then cool_ms = 0 end
local cooling_until = math.max(until_now, now + cool_ms)
redis.call('HSET', KEYS[1], 'cooling_until', whole(cooling_until), 'episodes', episodes, 'refused_in_row', in_row,
  'last_refused_at', whole(now))
redis.call('PUBLISH', ARGV[2], ARGV[1])
return lane_state(KEYS[1], now)
