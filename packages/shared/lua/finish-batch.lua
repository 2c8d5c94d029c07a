#!lua flags=allow-oom
--[[ Settles a batch: its files appear, complete, together with its last status.

KEYS  1 batch  2 open batches  3 input file  4 files index  5 lines  6 results  7 window  8 output file  9 error file
      10 expiring files  11 expiring batches
ARGV  1 id  2 epoch  3 status  4 retention in ms  5 tenant
      then for the output and the error file: id or ''  filename  bytes  content as JSON  expires after ms or ''

Returns  { 'finished' } | { 'lost' } | { 'unfinished' }   unfinished: a line or a result is still on its way ]]
--#include lib/time
--#include lib/batch

local r = redis.call('HMGET', KEYS[1], 'epoch', 'status', 'total', 'completed', 'failed')
if r[1] ~= ARGV[2] then return { 'lost' } end
if BATCH_SETTLED[r[2]] then return { 'finished' } end
if tonumber(r[4]) + tonumber(r[5]) ~= tonumber(r[3]) or redis.call('XLEN', KEYS[6]) > 0 then return { 'unfinished' } end
local now = now_ms()
local at = whole(now)
for index, field in ipairs({ 'output_file_id', 'error_file_id' }) do
  local arg = 1 + index * 5
  local id = ARGV[arg]
  if id ~= '' then
    local life = ARGV[arg + 4]
    redis.call('HSET', KEYS[7 + index], 'id', id, 'tenant', ARGV[5], 'filename', ARGV[arg + 1], 'purpose', 'batch_output',
      'bytes', ARGV[arg + 2], 'created_at', at, 'expires_at', life == '' and '' or whole(now + life), 'content', ARGV[arg + 3],
      'uses', '0')
    redis.call('ZADD', KEYS[4], now, id)
    if life ~= '' then redis.call('ZADD', KEYS[10], now + life, id) end
    redis.call('HSET', KEYS[1], field, id)
  end
end
redis.call('HSET', KEYS[1], 'status', ARGV[3], ARGV[3] .. '_at', at)
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'uses', -1)
redis.call('DEL', KEYS[5], KEYS[6], KEYS[7])
redis.call('ZADD', KEYS[11], whole(now + tonumber(ARGV[4])), ARGV[1])
return { 'finished' }
