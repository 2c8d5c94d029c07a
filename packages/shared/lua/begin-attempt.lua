#!lua flags=allow-oom
--[[ Claims a queued job for one attempt, on record before the provider is called.

KEYS  1 record  2 counts  3 expiring  4 unsuccessful index
ARGV  1 events channel  2 delivery number  3 claim id  4 worker id  5 most rescues  6 retention in ms

Returns  { 'started', generation, attempts, rescues, now, endpoint, body, max_attempts, expires_at,
           first_attempt_at, created_at, priority }
         { 'missing' }      no such record: its retention ended, or it was never accepted
         { 'settled' }      nothing to do
         { 'stale' }        the job has been delivered again since; this delivery counts for nothing
         { 'not_due', ms }  run_at or retry_at lies ahead
         { 'expired' }      its time was up: settled as expired here
         { 'quarantined' }  it outlived more workers than allowed: settled as failed here

A record that is already in progress under this very delivery lost its worker: BullMQ only hands a delivery
out again when its lock ran out. The generation goes up, which shuts out the worker that lost it. ]]
--#include lib/time
--#include lib/record

local r = redis.call('HMGET', KEYS[1], 'status', 'delivery', 'claim', 'generation', 'attempts', 'rescues',
  'endpoint', 'body', 'max_attempts', 'expires_at', 'first_attempt_at', 'created_at', 'run_at', 'retry_at',
  'priority', 'tenant', 'id', 'calls', 'seq', 'events')
local status = r[1]
if not status then return { 'missing' } end
if SETTLED[status] then return { 'settled' } end
if r[2] ~= ARGV[2] then return { 'stale' } end

local now = now_ms()
local before = { r[1], r[16], r[17], r[5], r[10], r[12], r[19], r[20] }
local function started(generation, attempts, rescues, first_attempt_at)
  return { 'started', generation, attempts, rescues, now, r[7], r[8], r[9], r[10] or '', first_attempt_at, r[12], r[15] }
end

local expires_at = tonumber(r[10] or '')
if expires_at and expires_at <= now then
  settle(KEYS, before, ARGV[1], ARGV[6], 'expired', now,
    { 'error_code', 'job_expired', 'error_message', 'This request could not be executed before it expired.' })
  return { 'expired' }
end

local rescues = tonumber(r[6])
if status == 'in_progress' then
  if r[3] == ARGV[3] then
    -- The same claim, sent again by the client library because the answer was lost.
    return started(tonumber(r[4]), tonumber(r[5]), rescues, r[11])
  end
  rescues = rescues + 1
  if rescues > tonumber(ARGV[5]) then
    settle(KEYS, before, ARGV[1], ARGV[6], 'failed', now, { 'rescues', rescues, 'error_code', 'worker_lost', 'error_message',
      'Its worker died ' .. rescues .. ' times while this job was in progress; it is not tried again.' })
    return { 'quarantined' }
  end
else
  local due = math.max(tonumber(r[13] or '') or 0, tonumber(r[14] or '') or 0)
  if due > now then return { 'not_due', due - now } end
  move_count(KEYS[2], 'queued', 'in_progress')
end

local generation = tonumber(r[4]) + 1
local attempts = tonumber(r[5]) + 1
local first_attempt_at = r[11] or whole(now)
local seq, log = next_event(r[20], r[19], now, 'job.in_progress', attempts, '')
local update = { 'status', 'in_progress', 'generation', generation, 'attempts', attempts, 'calls', tonumber(r[18]) + 1,
  'claim', ARGV[3], 'worker', ARGV[4], 'seq', seq, 'events', log }
local function set(field, value)
  update[#update + 1] = field
  update[#update + 1] = value
end
if not r[11] then
  set('first_attempt_at', first_attempt_at)
  set('started_at', first_attempt_at)
end
if rescues ~= tonumber(r[6]) then set('rescues', rescues) end
if r[14] then
  set('retry_at', '')
  set('wait_reason', '')
  set('wait_message', '')
end
redis.call('HSET', KEYS[1], unpack(update))
announce(ARGV[1], r[16], r[17], 'in_progress', seq)
return started(generation, attempts, rescues, first_attempt_at)
