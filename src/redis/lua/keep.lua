-- Arguments: queue, instance, who ("ADDRESS NAME"), clusters with a cache ("1,2"),
-- interval in ms, looks at once.
-- Starts looks of this nginx at the kept jobs of its clusters that it has not
-- looked at for the interval, those first that it has not looked at longest.
-- Reply: {ms until the next look is due, 0 if that is not known, or -1; looks under
-- way}.
local queue, instance, who = ARGV[2], ARGV[3], ARGV[4]
local clusters = ',' .. ARGV[5] .. ','
local interval, at_once = tonumber(ARGV[6]), tonumber(ARGV[7])
local looked, looking = P .. 'looked:' .. queue, P .. 'looking:' .. queue
local next_at

-- What has ended is removed; of one that another nginx has taken over, with its
-- name, this is not known here.
for _, id in ipairs(call('ZRANGEBYSCORE', looking, '-inf', now_text, 'LIMIT', 0,
                         PARTS_MAX)) do
  call('ZREM', looking, id)
end

local room = at_once - call('ZCARD', looking)

if room <= 0 then
  return {0, call('ZCARD', looking)}
end

-- The first cluster of the job that this nginx has.
local function cluster_of(kept_in)
  for cluster in (kept_in or ''):gmatch('%d+') do
    if clusters:find(',' .. cluster .. ',', 1, true) then
      return cluster
    end
  end
end

local function keeps(kept_by, own)
  if kept_by == 'all' or kept_by == 'chosen' then
    return kept_by == 'all' or own
  end

  return kept_by and kept_by:find(' ' .. who:match('^%S*') .. ' ', 1, true)
end

-- The number for the looks of this instance: that of another one which has not
-- looked for a day, or a new one; nil: there is none left. If Redis has lost who had
-- the number, a look of that one may still be under way: its runs have lower numbers.
local function number_for(k, parts, looks, kept_by)
  for part = parts + 1, parts + looks do
    local other = call('HMGET', k, 's:' .. part, 'l:' .. part, 'i:' .. part)
    local ended = other[2] and other[2]:match('^%u+ (%d+)')

    if not other[1] and ended and ended + INSTANCE_TIME < wall then
      if other[3] and kept_by == 'chosen' then
        call('HSET', k, 'kept:' .. other[3], '0')
      elseif other[3] then
        call('HDEL', k, 'kept:' .. other[3])
      end

      call('HDEL', k, 'l:' .. part, 'e:' .. part)

      return part
    end
  end

  if looks < JOB_PARTS_MAX then
    call('HSET', k, 'looks', text(looks + 1))

    return parts + looks + 1
  end
end

-- A look that was started before, and has not ended.
local function is_under_way(k, id, part)
  local job = call('HMGET', k, 's:' .. part, 'q:' .. part)
  local member = id .. ':' .. part

  return job[1] and job[2] and (call('ZSCORE', P .. 'ready:' .. job[2], member)
                                or call('ZSCORE', P .. 'lease:' .. job[2], member))
end

-- Returns whether there is room for one look less.
local function start(id)
  local k = job_key(id)
  local job = call('HMGET', k, 'looks', 'parts', 'uuid', 'kept_in', 'kept_by',
                   'kept:' .. instance, 'timeout', 'state')

  if not job[8] then
    call('ZREM', P .. 'kept', id)
    return false
  end

  -- it has not ended yet
  if not job[1] then
    return false
  end

  call('ZADD', looked, now_text, id)

  local cluster = cluster_of(job[4])

  if not cluster or not keeps(job[5], job[6]) then
    return false
  end

  local part = tonumber(job[6] or 0)

  if part == 0 then
    part = number_for(k, parts_of(job[2]), parts_of(job[1]), job[5])

    -- all of them were looked through, which takes its time
    if not part then
      return true
    end

    call('HSET', k, 'n:' .. part, now_text)
  end

  if is_under_way(k, id, part) then
    return false
  end

  local deadline = text(now + (job[7] or 0))

  call('HSET', k, 'kept:' .. instance, text(part), 'i:' .. part, instance,
       'c:' .. part, cluster .. ' ' .. (job[3] or ''), 'h:' .. part, who,
       'q:' .. part, queue, 's:' .. part, 'PENDING', 'x:' .. part, deadline)
  call('HDEL', k, 'd:' .. part, 'g:' .. part)
  call('ZADD', looking, deadline, id)
  wait(queue, id .. ':' .. text(part), 'kept')

  return true
end

local last, there, due = {}, {}, {}
local known = call('ZRANGE', looked, 0, -1, 'WITHSCORES')

for i = 1, #known, 2 do
  last[known[i]] = tonumber(known[i + 1])
end

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'kept', '(' .. now_text, '+inf',
                         'LIMIT', 0, KEPT_MAX)) do
  local at = last[id] and last[id] + interval or 0

  there[id] = true

  if at <= now then
    due[#due + 1] = {id = id, at = at}
  elseif not next_at or at < next_at then
    next_at = at
  end
end

for id in pairs(last) do
  if not there[id] then
    call('ZREM', looked, id)
  end
end

table.sort(due, function(a, b)
  return a.at < b.at or (a.at == b.at and tonumber(a.id) < tonumber(b.id))
end)

for _, job in ipairs(due) do
  if room <= 0 then
    next_at = now
    break
  end

  if start(job.id) then
    room = room - 1
  end
end

for _, key in ipairs({looked, looking}) do
  call('PEXPIRE', key, text(math.max(INSTANCE_TIME, 2 * interval)))
end

return {next_at and math.max(0, next_at - now) or -1, call('ZCARD', looking)}
