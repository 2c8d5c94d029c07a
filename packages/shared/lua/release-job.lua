#!lua flags=allow-oom
--[[ Gives a job in progress back: queued again, at the head of its queue or at a later instant.

KEYS  1 record  2 counts  3 outbox
ARGV  1 events channel  2 generation  3 wait reason or ''  4 wait message  5 delay in ms, or '' for the head of
      the queue  6 '1' if the attempt is charged, '0' if not  7 event detail
      8 the job's standing, see src/job/standing.ts, or '' to leave it

Returns  { 'released', delivery, retry_at }  retry_at '' for the head of the queue
         { 'lost', status }                  the claim is no longer the caller's: nothing was changed

With a delay the job gets a new delivery number and an outbox entry for its instant; the present delivery is
then worthless and may simply finish. Without one the caller hands the same delivery back to its queue. ]]
--#include lib/time
--#include lib/record

local r = redis.call('HMGET', KEYS[1], 'status', 'generation', 'attempts', 'delivery', 'tenant', 'id', 'released_by', 'retry_at',
  'seq', 'events')
if r[1] ~= 'in_progress' or r[2] ~= ARGV[2] then
  if r[7] == ARGV[2] and r[1] == 'queued' then return { 'released', tonumber(r[4]), r[8] or '' } end
  return { 'lost', r[1] or 'missing' }
end

local now = now_ms()
local attempts = tonumber(r[3])
if ARGV[6] == '0' then attempts = attempts - 1 end
local delivery = tonumber(r[4])
local retry_at = ''
if ARGV[5] ~= '' then
  delivery = delivery + 1
  retry_at = whole(now + tonumber(ARGV[5]))
  redis.call('ZADD', KEYS[3], retry_at, r[6] .. '.' .. delivery)
end
local seq, log = next_event(r[10], r[9], whole(now), 'job.queued', whole(attempts), ARGV[7])
redis.call('HSET', KEYS[1], 'status', 'queued', 'attempts', attempts, 'delivery', delivery, 'retry_at', retry_at,
  'wait_reason', ARGV[3], 'wait_message', ARGV[4], 'released_by', ARGV[2], 'claim', '', 'worker', '',
  'seq', seq, 'events', log)
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'standing', ARGV[8]) end
move_count(r[6], 'in_progress', 'queued')
announce(r[5], r[6], 'queued', seq)
finish(KEYS[2], ARGV[1])
return { 'released', delivery, retry_at }
