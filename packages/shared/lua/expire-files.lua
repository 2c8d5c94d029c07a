#!lua flags=allow-oom
--[[ Removes files whose time is up. One that a batch holds is looked at again later.

KEYS  1 expiring files  2 files  3 loose blobs
ARGV  1 what a record's key begins with  2 how many to look at  3 when to look again, in ms from now

Returns  { removed, looked at }

The records are in the index's slot. ]]
--#include lib/time
--#include lib/file

local now = now_ms()
local removed = 0
local ids = redis.call('ZRANGE', KEYS[1], '-inf', whole(now), 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  local record = ARGV[1] .. id
  local r = redis.call('HMGET', record, 'content', 'uses')
  if not r[1] then
    redis.call('ZREM', KEYS[1], id)
  elseif tonumber(r[2] or '0') > 0 then
    redis.call('ZADD', KEYS[1], whole(now + tonumber(ARGV[3])), id)
  else
    drop_file({ record, KEYS[2], KEYS[1], KEYS[3] }, id, r[1], now)
    removed = removed + 1
  end
end
return { removed, #ids }
