-- Arguments: lease, attempts allowed, greatest number of overdue jobs to end,
-- parts wanted, worker, number of this look, the last look whose reply has
-- arrived, instance, queue.
-- Ends overdue jobs, takes over queues of this instance whose nginx is gone,
-- requeues parts whose lease has expired, and claims parts for a worker.
-- Reply: {ms until the next deadline or lease, or -1; and for each claimed
-- part: id, part, run, cluster, ms left, uuid, args, sealed, configured}.
local lease = now + ARGV[2]
local allowed = tonumber(ARGV[3])
local wanted = tonumber(ARGV[5])
local owners = P .. 'owners:' .. ARGV[9]
local queue = ARGV[10]
local reply = {-1}
local next_at

-- parts of one queue that are moved, or whose lease has expired; ms until the
-- list of an instance's queues expires
local PARTS_MAX = 100
local OWNERS_TIME = 2592000000

-- Redis at its maxmemory only refuses commands that need memory, and none
-- after a script's first write. ZREM needs none, so all of this script is run,
-- which frees memory.
call('ZREM', owners, '')

if not schema[3] or schema[3] + CLOCK_TOLERANCE < now then
  call('HSET', P .. 'schema', 'last', now_text)
end

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', now_text,
                        'LIMIT', 0, ARGV[4])) do
  overdue(id)
end

-- Moves queued parts and leases of an nginx that is gone to this queue.
local function adopt(other)
  local moved = 0

  for _, kind in ipairs({'ready:', 'lease:'}) do
    local members = call('ZRANGE', P .. kind .. other, 0, PARTS_MAX - 1,
                         'WITHSCORES')

    for i = 1, #members, 2 do
      local id, part = members[i]:match('^(%d+):(%d+)$')

      call('ZREM', P .. kind .. other, members[i])

      if call('HGET', job_key(id), 's:' .. part) == 'PENDING' then
        call('HSET', job_key(id), 'q:' .. part, queue)
        call('ZADD', P .. kind .. queue, members[i + 1], members[i])
      end
    end

    moved = moved + #members
  end

  if moved == 0 then
    call('ZREM', owners, other)
  else
    next_at = now
  end
end

-- This nginx is alive. One that has not looked for a whole lease is gone. If
-- this nginx has not looked for so long either, Redis may have been down, and
-- the others get time to look. While two nginx with one name are alive, it is
-- unknown whose cache the jobs of a third were for, so nothing is adopted.
local function live()
  local since = now - ARGV[2]
  local before = tonumber(call('ZSCORE', owners, queue) or 0)
  local again = before + ARGV[2] / 4 < now

  if again then
    call('ZADD', owners, now_text, queue)
    call('PEXPIRE', owners, OWNERS_TIME)
  end

  if call('ZCARD', owners) == 1
     or call('ZCOUNT', owners, text(since), '+inf') > 1
  then
    return
  end

  local gone = again and before > since and '(' .. text(since) or 0

  for _, other in ipairs(call('ZRANGEBYSCORE', owners, '-inf', gone, 'LIMIT',
                              0, OWNERS_MAX)) do
    adopt(other)
  end
end

live()

local function died(member)
  local id, part = member:match('^(%d+):(%d+)$')

  call('ZREM', P .. 'lease:' .. queue, member)

  if call('HGET', job_key(id), 's:' .. part) ~= 'PENDING' then
    return
  end

  local deaths = call('HINCRBY', job_key(id), 'd:' .. part, 1)

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

  return job[3]
end

-- Parts that were claimed by a look whose reply was lost are returned again by
-- a later look of the same worker. claims:WORKER has the number of its last
-- look that claimed something, and its claims.
local last_key = P .. 'claims:' .. ARGV[6]

local function take_again()
  local look, claims = (call('GET', last_key) or '0'):match('^(%d+)(.*)$')

  if tonumber(look) <= tonumber(ARGV[8]) then
    return
  end

  for id, part, run, uuid in claims:gmatch(' (%d+):(%d+) (%d+) (%S+)') do
    local member = id .. ':' .. part
    local where = mine(id, part, run, uuid)

    if where then
      call('ZREM', P .. 'ready:' .. where, member)
      call('ZADD', P .. 'lease:' .. where, text(lease), member)
      take(id, part, run)
    end
  end
end

local claims = {}

local function claim()
  local ready = P .. 'ready:' .. queue

  for _, member in ipairs(call('ZRANGEBYSCORE', ready, '-inf', '+inf', 'LIMIT',
                               0, wanted)) do
    local id, part = member:match('^(%d+):(%d+)$')

    call('ZREM', ready, member)

    if call('HGET', job_key(id), 's:' .. part) == 'PENDING' then
      local run = text(call('HINCRBY', job_key(id), 'n:' .. part, 1))

      call('ZADD', P .. 'lease:' .. queue, text(lease), member)
      claims[#claims + 1] = member .. ' ' .. run .. ' ' .. take(id, part, run)
    end
  end
end

local function due(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]

  if first and (not next_at or tonumber(first) < next_at) then
    next_at = tonumber(first)
  end
end

if wanted > 0 then
  take_again()
end

for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'lease:' .. queue, '-inf',
                             now_text, 'LIMIT', 0, PARTS_MAX)) do
  died(member)
end

if #reply == 1 and wanted > 0 then
  claim()
end

if #claims > 0 then
  call('SET', last_key, ARGV[7] .. ' ' .. table.concat(claims, ' '), 'PX',
       RESEND_TIME)
end

due(P .. 'lease:' .. queue)
due(P .. 'deadlines')

if next_at then
  reply[1] = math.max(0, next_at - now)
end

return reply
