#!lua flags=allow-oom
--[[ Removes a file, unless a batch that is not settled holds it.

KEYS  1 record  2 files  3 expiring files  4 loose blobs
ARGV  1 id

Returns  { 'missing' } | { 'in_use' } | { 'removed', content }

The record goes first and the bytes after it: a crash between the two leaves them to the sweep of loose blobs. ]]
--#include lib/time
--#include lib/file

local r = redis.call('HMGET', KEYS[1], 'content', 'uses')
if not r[1] then return { 'missing' } end
if tonumber(r[2] or '0') > 0 then return { 'in_use' } end
drop_file(KEYS, ARGV[1], r[1], now_ms())
return { 'removed', r[1] }
