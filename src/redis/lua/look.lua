-- Arguments: lease, attempts allowed, greatest number of overdue jobs to end,
-- parts wanted, worker, number of this look, the last look whose reply has
-- arrived, instance, queue, tokens whose parts are not wanted (" 1 2 ", or "";
-- then one part of each other token is).
-- Ends overdue jobs, takes over queues of this instance whose nginx is gone,
-- ends what only an nginx that is away could run, requeues parts whose lease
-- has expired, and claims parts for a worker.
-- Reply: {ms until the next deadline or lease, or -1; and for each claimed
-- part: id, part, run, cluster, ms left, uuid, args, sealed, configured,
-- token, parts of the job, "1" of a look at a kept job}.
local lease = now + ARGV[2]
local allowed = tonumber(ARGV[3])
local wanted = tonumber(ARGV[5])
local owners = P .. 'owners:' .. ARGV[9]
local queue = ARGV[10]
local reply = {-1}
local next_at

-- ms until the list of an instance's queues expires
local OWNERS_TIME = 2592000000

-- rounds of PARTS_MAX parts that are moved or ended by one look
local ROUNDS_MAX = 5

-- jobs that one look keeps no longer, if they have few looks
local UNKEPT_MAX = 10

-- Redis at its maxmemory only refuses commands that need memory, and none
-- after a script's first write. ZREM needs none, so all of this script is run,
-- which frees memory.
call('ZREM', owners, '')

if not schema[3] or schema[3] + CLOCK_TOLERANCE < now then
  call('HSET', P .. 'schema', 'last', now_text)
end

local parts_left = ROUNDS_MAX * PARTS_MAX

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', now_text,
                        'LIMIT', 0, ARGV[4])) do
  if parts_left > 0 then
    parts_left = parts_left - overdue(id)
  end
end

if unlist_expired() then
  next_at = now
end

-- The job is not kept any longer, and its credentials are erased. Returns how many
-- looks it has.
local function unkeep(id)
  local k = job_key(id)
  local job = call('HMGET', k, 'looks', 'parts', 'uuid')

  call('ZREM', P .. 'kept', id)
  call('PEXPIRE', P .. 'sealed:' .. id, 0)

  -- only then it has succeeded
  if not job[1] then
    return 0
  end

  local parts, looks = parts_of(job[2]), parts_of(job[1])
  local last = parts + looks

  withdraw(id, parts + 1, last)
  call('HDEL', k, 'timeout', 'configured', 'secret')

  for part = parts + 1, last do
    call('HDEL', k, 's:' .. part, 'x:' .. part, 'g:' .. part, 'd:' .. part)
  end

  publish('cancel ' .. (job[3] or ''))

  return looks
end

local looks_left = JOB_PARTS_MAX

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'kept', '-inf', now_text, 'LIMIT',
                         0, UNKEPT_MAX)) do
  if looks_left > 0 then
    looks_left = looks_left - unkeep(id)
  end
end

-- Calls VISIT for the parts of a queue, PARTS_MAX at a time. It returns whether
-- it has left the part where it was.
local rounds = 0

local function each_part(key, visit)
  local left = 0
  local members

  repeat
    members = call('ZRANGE', key, left, left + PARTS_MAX - 1, 'WITHSCORES')

    for i = 1, #members, 2 do
      local id, part = members[i]:match('^(%d+):(%d+)$')
      local job = call('HMGET', job_key(id), 's:' .. part, 'h:' .. part,
                       'c:' .. part, 'token')

      if visit({member = members[i], score = members[i + 1], id = id,
                part = part, pending = job[1] == 'PENDING', who = job[2],
                cluster = job[3], token = job[4]})
      then
        left = left + 1
      end
    end

    rounds = rounds + (#members > 0 and 1 or 0)
  until #members < 2 * PARTS_MAX or rounds >= ROUNDS_MAX
end

local function is_empty(other)
  return call('EXISTS', P .. 'ready:' .. other, P .. 'lease:' .. other) == 0
end

-- Moves a part of another queue to this one.
local function move(other, kind, p)
  call('ZREM', P .. kind .. other, p.member)

  if not p.pending then
    return
  end

  call('HSET', job_key(p.id), 'q:' .. p.part, queue)

  if kind == 'ready:' then
    wait(queue, p.member, p.token or '')
  else
    call('ZADD', P .. kind .. queue, p.score, p.member)
  end

  next_at = now
end

-- Moves queued parts and leases of an nginx that is gone to this queue.
local function adopt(other)
  for _, kind in ipairs({'ready:', 'lease:'}) do
    each_part(P .. kind .. other, function(p)
      move(other, kind, p)
    end)
  end

  if is_empty(other) then
    call('ZREM', owners, other)
    call('ZREM', P .. 'members', other)
  end
end

-- This nginx is alive. One that has not looked for a whole lease is gone. If
-- this nginx has not looked for so long either, Redis may have been down, and
-- the others get time to look. While two nginx with one name are alive, it is
-- unknown whose cache the jobs of a third were for, so nothing is adopted.
local function adopt_gone(since, before, again)
  if call('ZCARD', owners) == 1
     or call('ZCOUNT', owners, text(since), '+inf') > 1
  then
    return
  end

  local gone = again and before > since and '(' .. text(since) or 0

  for _, other in ipairs(call('ZRANGEBYSCORE', owners, '-inf', gone, 'LIMIT',
                              0, OWNERS_MAX)) do
    if rounds < ROUNDS_MAX then
      adopt(other)
    end
  end
end

-- Ends a part that only an nginx could run that is away. Others can run a part
-- for Dragonfly. A run that still reports is left alone.
local function give_up_part(other, kind, p, clusters)
  if not p.pending then
    call('ZREM', P .. kind .. other, p.member)
    return false
  end

  if kind == 'lease:' and tonumber(p.score) > now then
    return true
  end

  if p.who then
    local address, name = p.who:match('^(%S*) (.*)$')

    finish(p.id, p.part, 'FAILURE', name .. ' (' .. address .. ') has been '
           .. 'unreachable for longer than its dfpreheat_lease: it was '
           .. 'stopped, has died, or cannot reach Redis', '', nil, true)
    return false
  end

  if clusters:find(',' .. p.cluster:match('^%d+') .. ',', 1, true) then
    move(other, kind, p)
    return false
  end

  return true
end

local function give_up(other, clusters)
  for _, kind in ipairs({'ready:', 'lease:'}) do
    each_part(P .. kind .. other, function(p)
      return give_up_part(other, kind, p, clusters)
    end)
  end

  if is_empty(other) then
    call('ZREM', P .. 'members', other)
  end
end

-- A queue is "instance:NAME:MASTER".
local function name_of(other)
  return other:match('^(.*):') or other
end

local function master_of(other)
  return other:match('[^:]*$')
end

-- The queues of nginx that are away, unless one with the same name runs, or the
-- same one whose name was changed by a reload: that one adopts them. Those that
-- are left alone must not hide the rest.
local function visit_away()
  local away = call('ZRANGEBYSCORE', P .. 'members', '-inf', now_text, 'LIMIT',
                    0, MEMBERS_MAX)

  if #away == 0 then
    return
  end

  local names, masters = {}, {}
  local clusters = ',' .. (call('HGET', P .. queue, 'clusters') or '') .. ','

  for _, other in ipairs(call('ZRANGEBYSCORE', P .. 'members', '(' .. now_text,
                              '+inf', 'LIMIT', 0, MEMBERS_MAX)) do
    names[name_of(other)] = true
    masters[master_of(other)] = true
  end

  for _, other in ipairs(away) do
    if is_empty(other) then
      call('ZREM', P .. 'members', other)

    elseif name_of(other) == name_of(queue) then
      call('ZADD', owners, 'NX', 0, other)

    elseif rounds >= ROUNDS_MAX then
      break

    elseif master_of(other) == master_of(queue) then
      adopt(other)

    elseif not names[name_of(other)] and not masters[master_of(other)] then
      give_up(other, clusters)
    end
  end
end

-- Only an nginx that has been running for a whole lease decides that others are
-- away: after an outage of Redis all of them have time to come back. A gap of
-- half a lease between two looks, which are more frequent, is such an outage.
local function live()
  local since = now - ARGV[2]
  local before = tonumber(call('ZSCORE', owners, queue) or 0)
  local again = before + ARGV[2] / 4 < now
  local running

  if again then
    call('ZADD', owners, now_text, queue)
    call('PEXPIRE', owners, OWNERS_TIME)
    call('ZADD', P .. 'members', text(lease), queue)

    running = call('HGET', P .. queue, 'since')

    if not running or before + ARGV[2] / 2 < now then
      running = now_text
      call('HSET', P .. queue, 'since', running, 'gap', text(before))
    end

    call('PEXPIRE', P .. queue, INSTANCE_TIME)
  end

  adopt_gone(since, before, again)

  if again and tonumber(running) < since then
    visit_away()
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
    requeue(queue, member)
    return
  end

  finish(id, part, 'FAILURE', 'given up after ' .. deaths ..
         ' attempts: each time the worker died or lost redis', '')
end

local function take(id, part, run)
  local job = call('HMGET', job_key(id), 'c:' .. part, 'deadline', 'uuid',
                   'args', 'sealed', 'configured', 'token', 'parts',
                   'x:' .. part, 'secret')
  local n = #reply

  if job[9] then
    job[2] = job[9]
    job[5] = call('GET', P .. 'sealed:' .. id)

    -- its time may be over at this moment
    if job[10] and not job[5] then
      finish(id, part, 'FAILURE', 'its credentials are not stored any more', '')
      return nil
    end
  end

  reply[n + 1] = id
  reply[n + 2] = part
  reply[n + 3] = run
  reply[n + 4] = job[1]
  reply[n + 5] = job[2] - now
  reply[n + 6] = job[3]
  reply[n + 7] = job[5] and '' or job[4]
  reply[n + 8] = job[5] or ''
  reply[n + 9] = job[6] or '0'
  reply[n + 10] = job[7] or ''
  reply[n + 11] = job[8]
  reply[n + 12] = job[9] and '1' or ''

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

-- The parts that are next. A new token has the turn of the head of the queue, so
-- it is found among the first.
local function next_parts(ready)
  local unwanted = ARGV[11]

  if unwanted == '' then
    return call('ZRANGE', ready, 0, wanted - 1)
  end

  local found = {}

  for _, member in ipairs(call('ZRANGE', ready, 0, PARTS_MAX - 1)) do
    local token = call('HGET', job_key(member:match('^%d+')), 'token')

    if token and #found < wanted
       and not unwanted:find(' ' .. token .. ' ', 1, true)
    then
      found[#found + 1] = member
      unwanted = unwanted .. token .. ' '
    end
  end

  return found
end

local function claim()
  local ready = P .. 'ready:' .. queue

  for _, member in ipairs(next_parts(ready)) do
    local id, part = member:match('^(%d+):(%d+)$')

    call('ZREM', ready, member)

    if call('HGET', job_key(id), 's:' .. part) == 'PENDING' then
      local run = text(call('HINCRBY', job_key(id), 'n:' .. part, 1))

      call('ZADD', P .. 'lease:' .. queue, text(lease), member)

      local uuid = take(id, part, run)

      if uuid then
        claims[#claims + 1] = member .. ' ' .. run .. ' ' .. uuid
      end
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
due(P .. 'kept')

if next_at then
  reply[1] = math.max(0, next_at - now)
end

return reply
