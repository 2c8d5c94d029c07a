-- The state of a lane as its readers get it. Needs lib/time.
-- { now, cooling_until, paused_by_operator, paused_reason, paused_message, probe_at, probe_until, last_refused_at,
--   unreachable_since, failures, last_error, trial_at }
local function lane_state(key, now)
  local r = redis.call('HMGET', key, 'cooling_until', 'operator_paused', 'paused_reason', 'paused_message', 'probe_at',
    'probe_until', 'last_refused_at', 'unreachable_since', 'failures', 'last_error', 'trial_at')
  local state = { whole(now) }
  for i = 1, 11 do state[i + 1] = r[i] or '' end
  return state
end
