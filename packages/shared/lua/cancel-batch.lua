#!lua flags=allow-oom
--[[ Asks for the end of a batch. Its conductor and the attempts of its lines see it.

KEYS  1 batch

Returns  { 'missing' } | { 'settled', status } | { 'cancelling' }   also when it was asked for before ]]
--#include lib/time

local status = redis.call('HGET', KEYS[1], 'status')
if not status then return { 'missing' } end
if status == 'failed' or status == 'completed' or status == 'expired' then return { 'settled', status } end
if status == 'validating' or status == 'in_progress' then
  redis.call('HSET', KEYS[1], 'status', 'cancelling', 'cancelling_at', whole(now_ms()))
end
return { 'cancelling' }
