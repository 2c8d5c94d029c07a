-- How full this Redis is. Needs nothing.

-- What admission leaves to accepted work: a tenth of maxmemory, at least 8 MB, at most half.
local RESERVE = { share = 0.1, least_bytes = 8000000, most_share = 0.5 }

-- { used, maxmemory, admission line } in bytes; maxmemory 0 for no limit. Counted as Redis counts before it refuses: without
-- the buffers of replicas and of the append-only file. A managed Redis may refuse INFO: then nothing is known, and Redis'
-- own limit is all there is.
local function memory_in_bytes()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return { 0, 0, 0 } end
  -- Found as plain text: a pattern without an anchor is tried at each of some thousand places, which takes longer than INFO.
  local function read(name)
    local _, last = string.find(info, '\n' .. name .. ':', 1, true)
    return last and tonumber(string.match(info, '^%d+', last + 1)) or 0
  end
  local limit = read('maxmemory')
  local reserve = math.min(math.max(RESERVE.share * limit, RESERVE.least_bytes), RESERVE.most_share * limit)
  return { read('used_memory') - read('mem_not_counted_for_evict'), limit, limit - math.floor(reserve) }
end

-- Whether new work is refused: the rest of the memory is for what was accepted.
local function is_reserve_touched()
  local memory = memory_in_bytes()
  return memory[2] > 0 and memory[1] > memory[3]
end

-- Begins as Redis' own refusal does, so that callers know both by the same word.
local REFUSAL = 'OOM the memory that is left is kept for accepted work'
