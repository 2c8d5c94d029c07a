#!lua flags=allow-oom
--[[ Cancels an upload that is pending, or was cancelled before.

KEYS  1 upload  2 loose blobs  3 pending uploads

Returns  { 'cancelled' } | { 'missing' } | { 'not_pending', status } ]]
--#include lib/time
--#include lib/upload

local now = now_ms()
local u = redis.call('HMGET', KEYS[1], 'status', 'expires_at', 'id', 'bytes')
if not u[1] then return { 'missing' } end
if u[1] == 'cancelled' then return { 'cancelled' } end
if u[1] ~= 'pending' then return { 'not_pending', u[1] } end
if now >= tonumber(u[2]) then return { 'not_pending', 'expired' } end
redis.call('HSET', KEYS[1], 'status', 'cancelled')
redis.call('ZREM', KEYS[3], u[3] .. ' ' .. u[4])
loosen_parts(KEYS[1], KEYS[2], now)
return { 'cancelled' }
