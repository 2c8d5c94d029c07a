#!lua flags=allow-oom
--[[ Records the results of attempts of one tenant, each as its job's one terminal state.

KEYS  1 counts  2 expiring  3 unsuccessful index  4 paces  5 loose blobs  then the record of each job
ARGV  1 events channel  2 tenant  3 retention in ms  then for each job:
      how many values follow  id  generation  status  the blob that holds its answer, or ''  record field, value, …

Returns  for each job, in their order:
         { 'settled' }          also when this very settlement is sent again
         { 'lost', status }     the claim is no longer the caller's: nothing was changed
         { 'broken', message }  what its record holds is not a job; the others are what they are

Atomic: each terminal record stands with its counts and indexes. The generation is the fence: a worker that was frozen
past its lock and wakes up changes nothing. The blob of an answer stays on the list of loose blobs and becomes due for removal
when the record's retention ends, so that nothing has to notice that end. A line's blob becomes due in commit-results. ]]
--#include lib/time
--#include lib/pace
--#include lib/record

local now = now_ms()
local at = whole(now)
local keys = { KEYS[2], KEYS[3] }
local channel, tenant, retention_ms = ARGV[1], ARGV[2], ARGV[3]
-- A reader that has just read the record must still find the blob.
local BLOB_OUTLIVES_MS = 60000
-- lane → results of this call
local results = {}

local function record_result(record, from, to)
  local id, generation, status, blob = ARGV[from], ARGV[from + 1], ARGV[from + 2], ARGV[from + 3]
  local r
  if is_line(id) then
    r = redis.call('HMGET', record, 'status', 'generation', 'attempts', 'expires_at', 'seq', 'events', 'lane', 'batch', 'line',
      'custom_id')
  else
    r = redis.call('HMGET', record, 'status', 'generation', 'attempts', 'expires_at', 'seq', 'events', 'lane')
  end
  if r[1] ~= 'in_progress' or r[2] ~= generation then
    if redis.call('HGET', record, 'settled_by') == generation then return { 'settled' } end
    return { 'lost', r[1] or 'missing' }
  end
  local is_kept = settle(keys, { record = record, tenant = tenant, id = id, status = r[1], attempts = r[3], expires_at = r[4], seq = r[5],
    events = r[6], line = r[8] and { r[8], r[9], r[10] } }, retention_ms, status, at, 'settled_by', generation, unpack(ARGV, from + 4, to))
  if blob ~= '' and is_kept then
    local until_ms = is_line(id) and '+inf' or whole(now + retention_ms + BLOB_OUTLIVES_MS)
    redis.call('ZADD', KEYS[5], until_ms, 'blob ' .. blob)
  end
  local lane = r[7]
  if lane then results[lane] = (results[lane] or 0) + 1 end
  return { 'settled' }
end

local replies = {}
local arg = 4
for i = 6, #KEYS do
  local last = arg + tonumber(ARGV[arg])
  replies[i - 5] = move(record_result, KEYS[i], arg + 1, last)
  arg = last + 1
end
for lane, count_of_lane in pairs(results) do add_to_pace(KEYS[4], lane, count_of_lane, now) end
finish(KEYS[1], channel)
return replies
