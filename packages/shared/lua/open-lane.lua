#!lua flags=allow-oom
--[[ Opens a paused lane: after an answered probe, or for an operator. An operator's resume also closes the breaker.

KEYS  1 lane state
ARGV  1 lane id  2 lanes channel  3 'operator' | 'probe'

Returns the lane's state, see lib/lane. A probe never lifts an operator's pause. ]]
--#include lib/time
--#include lib/lane

redis.call('HDEL', KEYS[1], 'paused_reason', 'paused_message', 'probe_at', 'probe_until', 'probe_every', 'refused_job')
if ARGV[3] == 'operator' then
  redis.call('HDEL', KEYS[1], 'operator_paused', 'operator_message', 'unreachable_since', 'failures', 'last_error', 'trial_began',
    'trial_at', 'trial_until', 'run_since', 'run_failures')
end
redis.call('PUBLISH', ARGV[2], ARGV[1])
return lane_state(KEYS[1], now_ms())
