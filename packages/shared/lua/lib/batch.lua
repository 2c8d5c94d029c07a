-- Helpers over one batch record. Needs lib/time.

local BATCH_SETTLED = { failed = true, completed = true, expired = true, cancelled = true }

-- Whether the caller is still the batch's conductor: one that was frozen past its hold changes nothing.
local function conducts(batch, epoch)
  return redis.call('HGET', batch, 'epoch') == epoch
end
