#!lua flags=allow-oom
--[[ Removes the records of batches whose retention has ended. A batch outlives its files: one that has them is looked at
again when they may be gone.

KEYS  1 expiring batches  2 batches  3 loose blobs
ARGV  1 what a batch's key begins with  2 what a file's key begins with  3 how many to look at
      4 when to look again, in ms from now

Returns  { removed, looked at }

The record goes first. What the batch has in the blob store, the segments of conductors that lost it among it, is anyone's to
remove from then on: no file reads it, and no conductor finds it. The records are in the index's slot. ]]
--#include lib/time
--#include lib/batch

local now = now_ms()
local removed = 0

-- When its files may be gone: at the end of the one that stays longer, as far as it is known.
local function files_until(record)
  local last
  for _, field in ipairs({ 'output_file_id', 'error_file_id' }) do
    local id = redis.call('HGET', record, field)
    local expires_at = id and redis.call('HGET', ARGV[2] .. id, 'expires_at')
    if expires_at then
      local again = now + tonumber(ARGV[4])
      last = math.max(last or 0, math.min(again, math.max(tonumber(expires_at) or again, now + 1000)))
    end
  end
  return last
end

local ids = redis.call('ZRANGE', KEYS[1], '-inf', whole(now), 'BYSCORE', 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do
  local record = ARGV[1] .. id
  local status = redis.call('HGET', record, 'status')
  local later = BATCH_SETTLED[status or ''] and files_until(record)
  if later then
    redis.call('ZADD', KEYS[1], whole(later), id)
  else
    redis.call('ZREM', KEYS[1], id)
    if BATCH_SETTLED[status or ''] then
      redis.call('DEL', record)
      redis.call('ZREM', KEYS[2], id)
      redis.call('ZADD', KEYS[3], whole(now), 'group ' .. id)
      removed = removed + 1
    end
  end
end
return { removed, #ids }
