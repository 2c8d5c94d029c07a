#!lua flags=allow-oom
--[[ Pauses a lane: by an operator, or because the provider refuses the credential or its quota.

KEYS  1 lane state
ARGV  1 lane id  2 lanes channel  3 'operator' | 'provider'  4 reason  5 message
      6 first probe after ms  7 longest time between probes in ms  8 '1' if this was the probe
      9 the job that was refused, or ''

Returns the lane's state, see lib/lane.

The delay between probes doubles. Only a failed probe doubles it, since a hundred calls in flight may all get the same 401. The
state keeps the id of the refused job, or '*' for several: if only one job is refused, the refusal may be its own. ]]
--#include lib/time
--#include lib/lane

local now = now_ms()
if ARGV[3] == 'operator' then
  redis.call('HSET', KEYS[1], 'operator_paused', '1', 'operator_message', ARGV[5])
else
  local r = redis.call('HMGET', KEYS[1], 'paused_reason', 'probe_every')
  local every = tonumber(ARGV[6])
  if r[1] and r[1] ~= '' then
    every = tonumber(r[2])
    if ARGV[8] == '1' then every = math.min(every * 2, tonumber(ARGV[7])) end
  end
  if not r[1] or r[1] == '' or ARGV[8] == '1' then
    redis.call('HSET', KEYS[1], 'probe_every', every, 'probe_at', whole(now + every), 'probe_until', '')
  end
  local refused = redis.call('HGET', KEYS[1], 'refused_job')
  redis.call('HSET', KEYS[1], 'refused_job', (not refused or refused == ARGV[9]) and ARGV[9] or '*')
  redis.call('HSET', KEYS[1], 'paused_reason', ARGV[4], 'paused_message', ARGV[5], 'last_refused_at', whole(now))
end
redis.call('PUBLISH', ARGV[2], ARGV[1])
return lane_state(KEYS[1], now)
