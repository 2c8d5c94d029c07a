#!lua flags=allow-oom
--[[ Lets the next lines of a batch into their lanes: each a job on record, sure to be delivered.

KEYS  1 batch  2 window  3 outbox  4 expiring  then the record of each line
ARGV  1 tenant  2 epoch  3 lines fed before  4 last line read  5 its end in bytes  6 outbox grace in ms
      then for each line, of which there are at most 1000: how many values follow  id  its outbox entry, or '' for
      one that stands in the entry of another  record field, value, …

Returns  { 'fed', expires_at } | { 'lost' }   lost: another conductor, another place, or no longer in progress

Atomic: the place in the input moves with the lines, so none is fed twice and none is left out. A batch is
accepted work, so it is fed at the memory limit too, but slowly: while memory use is in the reserve and the window holds more
than FEW_LINES, the script fails with an error that begins with OOM, and the batch stays where it is. ]]
--#include lib/time
--#include lib/memory
--#include lib/batch

local FEW_LINES = 16
local r = redis.call('HMGET', KEYS[1], 'epoch', 'status', 'fed', 'expires_at')
if r[1] ~= ARGV[2] or r[2] ~= 'in_progress' or r[3] ~= ARGV[3] then return { 'lost' } end
if redis.call('SCARD', KEYS[2]) > FEW_LINES and is_reserve_touched() then return redis.error_reply(REFUSAL) end
local now = now_ms()
local at, due = whole(now), whole(now + ARGV[6])
local arg, lines = 7, 0
local ids, entries, expiries = {}, {}, {}
for key = 5, #KEYS do
  local last = arg + tonumber(ARGV[arg])
  local id, entry = ARGV[arg + 1], ARGV[arg + 2]
  redis.call('HSET', KEYS[key], 'v', '1', 'id', id, 'tenant', ARGV[1], 'status', 'queued', 'attempts', '0', 'calls', '0',
    'rescues', '0', 'generation', '0', 'delivery', '1', 'created_at', at, 'seq', '1', 'events', '', 'expires_at', r[4],
    'batch', KEYS[1], unpack(ARGV, arg + 3, last))
  arg = last + 1
  lines = lines + 1
  ids[lines] = id
  if entry ~= '' then
    entries[#entries + 1] = due
    entries[#entries + 1] = entry
  end
  expiries[2 * lines - 1], expiries[2 * lines] = r[4], id
end
if lines > 0 then
  redis.call('SADD', KEYS[2], unpack(ids))
  redis.call('ZADD', KEYS[3], unpack(entries))
  redis.call('ZADD', KEYS[4], unpack(expiries))
end
redis.call('HSET', KEYS[1], 'fed', whole(ARGV[3] + lines), 'read_line', ARGV[4], 'read_bytes', ARGV[5])
return { 'fed', r[4] }
