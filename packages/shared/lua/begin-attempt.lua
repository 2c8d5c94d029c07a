#!lua flags=allow-oom
--[[ Claims queued jobs of one tenant for one attempt each, on record before the provider is called.

KEYS  1 counts  2 expiring  3 unsuccessful index  then the record of each job
ARGV  1 events channel  2 tenant  3 most rescues  4 retention in ms  then for each job:
      id  delivery number  claim id  worker id  runs of failures that opened the lane's breaker, each between commas

Returns  for each job, in their order:
         { 'started', generation, attempts, rescues, now, endpoint, body, max_attempts, expires_at,
           first_attempt_at, created_at, priority, standing }
         { 'missing' }          no such record: its retention ended, or it was never accepted
         { 'settled' }          nothing to do
         { 'stale' }            the job has been delivered again since, or will be when its batch is no longer paused;
                                this delivery counts for nothing
         { 'not_due', ms }      run_at or retry_at lies ahead
         { 'expired' }          its time was up: settled as expired here
         { 'quarantined' }      it outlived more workers than allowed: settled as failed here
         { 'broken', message }  what its record holds is not a job; the others are what they are

Atomic: each claim stands with its counts. A record that is already in progress under this very delivery lost its
worker: BullMQ only hands a delivery out again when its lock ran out. The generation goes up, which shuts out the
worker that lost it. ]]
--#include lib/time
--#include lib/record

local PAUSED_MS = 3000
local now = now_ms()
local at = whole(now)
local keys = { KEYS[2], KEYS[3] }
local channel, tenant, most_rescues, retention_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

-- No move of this call changes a batch's standing: many of its lines are in it, and one look is enough.
local standings = {}
local function standing_of(batch)
  local standing = standings[batch]
  if not standing then
    local b = redis.call('HMGET', batch, 'status', 'paused', 'resting')
    standing = { is_cancelling = b[1] == 'cancelling', is_paused = b[2] == '1' or b[3] == '1' }
    standings[batch] = standing
  end
  return standing
end

-- Gives back the job's charges of a run of failures that opened the breaker. See src/job/standing.ts.
local function give_back(standing, attempts, opened_runs)
  local run, charged = string.match(standing, '^(%d+) (%d+) ')
  if not run or run == '0' or not string.find(opened_runs, ',' .. run .. ',', 1, true) then return standing, attempts end
  return '0 0' .. string.sub(standing, #run + #charged + 2), whole(math.max(0, attempts - charged))
end

local function begin(record, id, delivery, claim, worker, opened_runs)
  local r = redis.call('HMGET', record, 'status', 'delivery', 'claim', 'generation', 'attempts', 'rescues',
    'endpoint', 'body', 'max_attempts', 'expires_at', 'first_attempt_at', 'created_at', 'run_at', 'retry_at',
    'priority', 'calls', 'seq', 'events', 'batch', 'standing')
  local status = r[1]
  if not status then return { 'missing' } end
  if SETTLED[status] then return { 'settled' } end
  if r[2] ~= delivery then return { 'stale' } end

  local standing, attempts_before = r[20] or '', r[5]
  if standing ~= '' then standing, attempts_before = give_back(standing, attempts_before, opened_runs) end

  local function started(generation, attempts, rescues, first_attempt_at)
    return { 'started', generation, attempts, rescues, now, r[7], r[8], r[9], r[10] or '', first_attempt_at, r[12], r[15],
      standing }
  end
  local function end_as(ended, ...)
    settle(keys, { record = record, tenant = tenant, id = id, status = status, attempts = r[5], expires_at = r[10],
      seq = r[17], events = r[18] }, retention_ms, ended, at, ...)
  end

  local expires_at = tonumber(r[10] or '')
  if expires_at and expires_at <= now then
    end_as('expired', 'error_code', 'job_expired', 'error_message', 'This request could not be executed before it expired.')
    return { 'expired' }
  end

  local batch = r[19]
  if batch and status == 'queued' then
    local standing = standing_of(batch)
    if standing.is_cancelling then
      end_as('cancelled')
      return { 'settled' }
    end
    if standing.is_paused then
      -- It comes back later, as another delivery, for as long as its batch is paused.
      local next_delivery = whole(delivery + 1)
      redis.call('HSET', record, 'delivery', next_delivery)
      redis.call('ZADD', (string.gsub(batch, ':batch:[^:]*$', ':outbox')), now + PAUSED_MS, id .. '.' .. next_delivery)
      return { 'stale' }
    end
  end

  local rescues = r[6]
  if status == 'in_progress' then
    -- The same claim, sent again by the client library because the answer was lost.
    if r[3] == claim then return started(r[4], r[5], rescues, r[11]) end
    rescues = whole(rescues + 1)
    if tonumber(rescues) > most_rescues then
      end_as('failed', 'rescues', rescues, 'error_code', 'worker_lost', 'error_message',
        'Its worker died ' .. rescues .. ' times while this job was in progress; it is not tried again.')
      return { 'quarantined' }
    end
  else
    local due = math.max(tonumber(r[13] or '') or 0, tonumber(r[14] or '') or 0)
    if due > now then return { 'not_due', due - now } end
  end

  local generation, attempts = whole(r[4] + 1), whole(attempts_before + 1)
  local first_attempt_at = r[11] or at
  local update = { 'status', 'in_progress', 'generation', generation, 'attempts', attempts, 'calls', whole(r[16] + 1),
    'claim', claim, 'worker', worker }
  local function set(field, value)
    update[#update + 1] = field
    update[#update + 1] = value
  end
  local seq, log = r[17], nil
  -- Nobody follows a line by itself.
  if not batch then
    seq, log = next_event(r[18], r[17], at, 'job.in_progress', attempts, '')
    set('seq', seq)
    set('events', log)
  end
  if not r[11] then
    set('first_attempt_at', at)
    set('started_at', at)
  end
  if rescues ~= r[6] then set('rescues', rescues) end
  if standing ~= (r[20] or '') then set('standing', standing) end
  if r[14] then
    set('retry_at', '')
    set('wait_reason', '')
    set('wait_message', '')
  end
  redis.call('HSET', record, unpack(update))
  move_count(id, status, 'in_progress')
  announce(tenant, id, 'in_progress', seq)
  return started(generation, attempts, rescues, first_attempt_at)
end

local replies = {}
for i = 4, #KEYS do
  local arg = 5 * i - 15
  replies[i - 3] = move(begin, KEYS[i], ARGV[arg], ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3], ARGV[arg + 4])
end
finish(KEYS[1], channel)
return replies
