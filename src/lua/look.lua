-- lease, attempts allowed, overdue jobs a look, parts wanted, worker, number of
-- this look, the last look whose answer it got, queues ...
-- -> {ms until the next deadline or lease, or -1;
--     and for each part that is claimed: id, part, run, cluster, left ms, uuid,
--     args, sealed, configured}
local lease = now + ARGV[2]
local allowed = tonumber(ARGV[3])
local wanted = tonumber(ARGV[5])
local reply = {-1}

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', now_text,
                        'LIMIT', 0, ARGV[4])) do
  overdue(id)
end

local function died(queue, member)
  local id, part = member:match('^(%d+):(%d+)$')
  local deaths = call('HINCRBY', job_key(id), 'd:' .. part, 1)

  call('ZREM', P .. 'lease:' .. queue, member)

  if deaths < allowed then
    wait(queue, member)
    return
  end

  finish(id, part, 'FAILURE', 'given up after ' .. deaths ..
         ' attempts: each time the worker died or lost redis', '')
end

local function take(id, part, run)
  local job = call('HMGET', job_key(id), 'c:' .. part, 'deadline', 'uuid',
                   'args', 'sealed', 'configured')
  local n = #reply

  reply[n + 1] = id
  reply[n + 2] = part
  reply[n + 3] = run
  reply[n + 4] = job[1]
  reply[n + 5] = job[2] - now
  reply[n + 6] = job[3]
  reply[n + 7] = job[5] and '' or job[4]
  reply[n + 8] = job[5] or ''
  reply[n + 9] = job[6] or '0'
end

-- What a worker claimed by a look whose answer it did not get, it gets by one
-- of the next: claims:WORKER is the number of its last look that claimed
-- something, and what that was.
local last_key = P .. 'claims:' .. ARGV[6]

local function take_again()
  local look, claims = (call('GET', last_key) or '0'):match('^(%d+)(.*)$')

  if tonumber(look) <= tonumber(ARGV[8]) then
    return
  end

  for id, part, run in claims:gmatch(' (%d+):(%d+) (%d+)') do
    local job = call('HMGET', job_key(id), 's:' .. part, 'n:' .. part,
                     'q:' .. part)

    if job[1] == 'PENDING' and job[2] == run then
      call('ZREM', P .. 'ready:' .. job[3], id .. ':' .. part)
      call('ZADD', P .. 'lease:' .. job[3], text(lease), id .. ':' .. part)
      take(id, part, run)
    end
  end
end

local claims = {}

local function claim(queue)
  local ready = P .. 'ready:' .. queue

  for _, member in ipairs(call('ZRANGEBYSCORE', ready, '-inf', '+inf', 'LIMIT',
                               0, wanted - #claims)) do
    local id, part = member:match('^(%d+):(%d+)$')

    call('ZREM', ready, member)

    if call('HGET', job_key(id), 's:' .. part) == 'PENDING' then
      local run = text(call('HINCRBY', job_key(id), 'n:' .. part, 1))

      call('ZADD', P .. 'lease:' .. queue, text(lease), member)
      claims[#claims + 1] = member .. ' ' .. run
      take(id, part, run)
    end
  end
end

local next_at

local function due(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]

  if first and (not next_at or tonumber(first) < next_at) then
    next_at = tonumber(first)
  end
end

if wanted > 0 then
  take_again()
end

for i = 9, #ARGV do
  for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'lease:' .. ARGV[i],
                               '-inf', now_text, 'LIMIT', 0, 100)) do
    died(ARGV[i], member)
  end

  if #reply == 1 and wanted > 0 or #claims > 0 and #claims < wanted then
    claim(ARGV[i])
  end

  due(P .. 'lease:' .. ARGV[i])
end

if #claims > 0 then
  call('SET', last_key, ARGV[7] .. ' ' .. table.concat(claims, ' '), 'PX',
       600000)
end

due(P .. 'deadlines')

if next_at then
  reply[1] = math.max(0, next_at - now)
end

return reply
