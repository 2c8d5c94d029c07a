#!lua
--[[ Makes a file of a blob that is complete.

KEYS  1 record  2 files  3 expiring files  4 loose blobs  5 idempotency record, with an idempotency key
ARGV  1 id  2 tenant  3 filename  4 purpose  5 bytes  6 expires_after in ms or ''  7 content (JSON)  8 its blob
      9 content hash  10 idempotency life in ms

Returns  { 'created', created_at, expires_at or '' }
         { 'replayed', id }   the key was used before with the same content
         { 'conflict', id }   the key was used before with other content
         { 'swept' }          the blob was not announced, or took so long that it may have been removed

Atomic: record, indexes, idempotency record, and that the blob is no longer loose. Not flagged
allow-oom. Fails with an error that begins with OOM when new work would use the reserve for accepted work. ]]
--#include lib/time
--#include lib/memory
--#include lib/file

local now = now_ms()
local id = ARGV[1]
if KEYS[5] then
  local used = redis.call('HMGET', KEYS[5], 'id', 'hash')
  if used[1] and used[1] ~= id then
    return { used[2] == ARGV[9] and 'replayed' or 'conflict', used[1] }
  end
end
-- The client library sends a script again when the connection broke before its answer came.
local stored = redis.call('HMGET', KEYS[1], 'created_at', 'expires_at')
if stored[1] then return { 'created', stored[1], stored[2] } end
if not is_held(KEYS[4], ARGV[8], now) then return { 'swept' } end
if is_reserve_touched() then return redis.error_reply(REFUSAL) end

local at, expires_at = store_file({ KEYS[1], KEYS[2], KEYS[3] }, { id = id, tenant = ARGV[2], filename = ARGV[3],
  purpose = ARGV[4], bytes = ARGV[5], content = ARGV[7] }, ARGV[6], now)
redis.call('ZREM', KEYS[4], 'blob ' .. ARGV[8])
if KEYS[5] then
  redis.call('HSET', KEYS[5], 'id', id, 'hash', ARGV[9])
  redis.call('PEXPIRE', KEYS[5], ARGV[10])
end
return { 'created', at, expires_at }
