-- The state of a lane as its readers get it. Needs lib/time.
-- { now, cooling_until, paused_by_operator, paused_reason, paused_message, probe_at, probe_until, last_refused_at,
--   unreachable_since, failures, last_error, trial_at, run_since, opened_runs, succeeded_at, succeeded_sent_at, slow_ms,
--   refused_job }
local function lane_state(key, now)
  local r = redis.call('HMGET', key, 'cooling_until', 'operator_paused', 'paused_reason', 'paused_message', 'probe_at',
    'probe_until', 'last_refused_at', 'unreachable_since', 'failures', 'last_error', 'trial_at',
    'run_since', 'opened_runs', 'succeeded_at', 'succeeded_sent_at', 'slow_ms', 'refused_job')
  local state = { whole(now) }
  for i = 1, 17 do state[i + 1] = r[i] or '' end
  return state
end
