#!lua flags=allow-oom
--[[ Makes a file of an upload whose parts were joined into one blob.

KEYS  1 upload  2 record  3 files  4 expiring files  5 loose blobs  6 pending uploads
ARGV  1 id  2 tenant  3 filename  4 purpose  5 bytes  6 expires_after in ms or ''  7 content (JSON)  8 its blob
      9 part ids in their order (JSON)

Returns  { 'completed', created_at, expires_at or '' } | { 'missing' } | { 'not_pending', status }
         { 'swept' }   the blob was not announced, or took so long that it may have been removed

Atomic: the file's record and the upload's end. An upload that expired while its parts were being joined is completed:
its parts are held for longer than that. Works at the memory limit, since it finishes accepted work. ]]
--#include lib/time
--#include lib/file
--#include lib/upload

local now = now_ms()
local u = redis.call('HMGET', KEYS[1], 'status', 'file_id', 'id', 'bytes')
if not u[1] then return { 'missing' } end
if u[1] == 'completed' and u[2] == ARGV[1] then
  local stored = redis.call('HMGET', KEYS[2], 'created_at', 'expires_at')
  if stored[1] then return { 'completed', stored[1], stored[2] } end
end
if u[1] ~= 'pending' then return { 'not_pending', u[1] } end
if not is_held(KEYS[5], ARGV[8], now) then return { 'swept' } end

local at, expires_at = store_file({ KEYS[2], KEYS[3], KEYS[4] }, { id = ARGV[1], tenant = ARGV[2], filename = ARGV[3],
  purpose = ARGV[4], bytes = ARGV[5], content = ARGV[7] }, ARGV[6], now)
redis.call('ZREM', KEYS[5], 'blob ' .. ARGV[8])
redis.call('HSET', KEYS[1], 'status', 'completed', 'file_id', ARGV[1], 'part_ids', ARGV[9], 'file_created_at', at,
  'file_expires_at', expires_at, 'file_content', ARGV[7])
redis.call('ZREM', KEYS[6], u[3] .. ' ' .. u[4])
loosen_parts(KEYS[1], KEYS[5], now)
return { 'completed', at, expires_at }
