#!lua flags=allow-oom
--[[ Requeues jobs of one tenant whose delivery is neither in the outbox nor in a queue: adds outbox entries for them.

KEYS  1 counts  2 outbox  then the record of each job
ARGV  1 events channel  2 tenant  then for each job (at most 100):
      id  delivery number  '' for a queued job, or the generation of a claim whose worker is dead

Returns  for each job, in their order:
         { 'redelivered' }      it is in the outbox under its next delivery number
         { 'moved' }            its record has changed since the caller read it; nothing was done
         { 'broken', message }  its record is damaged; the other jobs are not affected

Atomic: a job's delivery number and outbox entry change together, and only if the record still has the status, delivery number
and generation that the caller read. The new number makes the earlier delivery stale, in case it is in a queue after all.
Clearing a claim counts as a rescue, as when a queue hands out a dead worker's delivery again. ]]
--#include lib/time
--#include lib/record

local now = now_ms()
local at = whole(now)
local channel, tenant = ARGV[1], ARGV[2]

local function redeliver(record, id, delivery, generation)
  local next_delivery = whole(assert(tonumber(delivery), 'delivery number must be a number') + 1)
  local r = redis.call('HMGET', record, 'status', 'delivery', 'generation', 'run_at', 'retry_at', 'rescues', 'attempts', 'seq',
    'events')
  if r[2] ~= delivery then return { 'moved' } end
  if r[1] ~= (generation == '' and 'queued' or 'in_progress') then return { 'moved' } end
  if generation ~= '' and r[3] ~= generation then return { 'moved' } end
  if redis.call('ZSCORE', KEYS[2], id .. '.' .. delivery) then return { 'moved' } end

  local due = math.max(now, tonumber(r[4] or '') or 0, tonumber(r[5] or '') or 0)
  redis.call('ZADD', KEYS[2], whole(due), id .. '.' .. next_delivery)
  redis.call('HSET', record, 'delivery', next_delivery)
  if generation == '' then return { 'redelivered' } end

  redis.call('HSET', record, 'status', 'queued', 'claim', '', 'worker', '', 'rescues', whole((tonumber(r[6]) or 0) + 1))
  if not is_line(id) then
    local seq, log = next_event(r[9], r[8], at, 'job.queued', r[7], 'redelivered')
    redis.call('HSET', record, 'seq', seq, 'events', log)
    move_count(id, 'in_progress', 'queued')
    announce(tenant, id, 'queued', seq)
  end
  return { 'redelivered' }
end

local replies = {}
for i = 3, #KEYS do
  local arg = 3 * i - 6
  replies[i - 2] = move(redeliver, KEYS[i], ARGV[arg], ARGV[arg + 1], ARGV[arg + 2])
end
finish(KEYS[1], channel)
return replies
