-- Arguments: uuid, timeout, keep, limit, about, args, sealed, configured,
-- token, greatest id that this nginx knows, instance, queue, who ("ADDRESS
-- NAME"), text that selects one of several nginx, addresses wanted (joined by
-- blanks), count, percentage (0: not given), parts that may be unreachable,
-- whether that is per cent, per cent that must succeed, user_id ("": the job is
-- not listed), hash of the Idempotency-Key or "", hash of the body, webhook sealed
-- or "", its URL without secrets, type of a listed job other than preheat or "",
-- task that it preheats or "", until when it is kept, in ms since 1970, or "";
-- and for each cluster:
-- "cluster task_uuid", mode. Mode "here": one part, which any nginx with the
-- cluster can run; "one": a part for one of the nginx that have the cluster;
-- "all": a part for each of them, or for those that are wanted.
-- Stores a job, once for each uuid, and for each Idempotency-Key within a day. If
-- the hash begins with "-", that of a push, a job that has failed, one of another body
-- and one that is older do not count: the new one takes its place, and if it succeeds,
-- is kept instead.
-- Reply: {id, created}; {'once', id}: the key belongs to that job; {'other', 0}:
-- and to another body; {'full', unfinished jobs}; {'parts', parts, limit}; or {'kept', jobs
-- that are kept, limit}.
local CLUSTERS = 30
local user, key = ARGV[22], ARGV[23]
local kind, task = ARGV[27], ARGV[28]
local keep_until = tonumber(ARGV[29])
local ONCE_TIME = 86400000

-- values of one HSET; from so many nginx on, a percentage of unreachable ones is
-- at least one
local FIELDS_MAX = 2000
local TOLERANT_FROM = 10

local uuid = P .. 'uuid:' .. ARGV[2]
local known = call('GET', uuid)

if known then
  local job = call('HMGET', job_key(known), 'uuid', 'created')

  if job[1] == ARGV[2] then
    return {known, job[2]}
  end
end

local is_push = key:sub(1, 1) == '-'
local superseded, earlier

if key ~= '' then
  local before = call('GET', P .. 'once:' .. key)

  if before then
    local old, old_uuid, body = before:match('^(%d+) (%S+) (%S+)$')
    local job = call('HMGET', job_key(old), 'uuid', 'state', 'instead', 'created')
    local again = is_push and (body ~= ARGV[24] or job[2] == 'FAILURE'
                               or (tonumber(job[4]) or 0) + ONCE_TIME <= wall)

    if job[1] == old_uuid and not again then
      return body == ARGV[24] and {'once', old} or {'other', 0}
    end

    superseded = job[1] == old_uuid and old
    earlier = job[3]
  end
end

local unfinished = call('ZCARD', P .. 'deadlines')

if unfinished >= tonumber(ARGV[5]) then
  return {'full', unfinished}
end

if keep_until and call('ZCARD', P .. 'kept') >= KEPT_MAX then
  return {'kept', call('ZCARD', P .. 'kept'), KEPT_MAX}
end

local instance, queue, who = ARGV[12], ARGV[13], ARGV[14]
local selector, addresses = ARGV[15], ARGV[16]
local count, percentage = tonumber(ARGV[17]), tonumber(ARGV[18])
local all_members

-- Who is a member at this time is running. After an outage of Redis, which this
-- nginx knows from its own last look, those that were running before it and have
-- not come back yet have a lease's time to do so.
local function running_from()
  local look = tonumber(call('ZSCORE', P .. 'owners:' .. instance, queue) or 0)
  local own = call('HMGET', P .. queue, 'lease', 'since', 'gap')
  local lease, since, gap = tonumber(own[1] or 0), own[2] or 0, own[3] or 0

  if lease > 0 and look > 0 and look + lease / 2 < now then
    return text(look)
  end

  if tonumber(gap) > 0 and since + lease > now then
    return gap
  end

  return now_text
end

-- 0: the nginx has stopped, and will run nothing any more.
local function last_look(id, other)
  return tonumber(call('ZSCORE', P .. 'owners:' .. id, other) or -1)
end

-- Each nginx that is running, with its clusters.
local function members()
  if all_members then
    return all_members
  end

  all_members = {}

  for _, other in ipairs(call('ZRANGEBYSCORE', P .. 'members',
                              '(' .. running_from(), '+inf', 'LIMIT', 0,
                              MEMBERS_MAX)) do
    local m = call('HMGET', P .. other, 'id', 'who', 'clusters')

    if other ~= queue and m[1] and m[2] and m[3]
       and last_look(m[1], other) > 0
    then
      all_members[#all_members + 1] = {queue = other, id = m[1], who = m[2],
                                       clusters = ',' .. m[3] .. ','}
    end
  end

  return all_members
end

-- This nginx has all clusters of the job. If it is stopping, the others are
-- enough.
local function members_of(cluster)
  local found = {}

  for _, m in ipairs(members()) do
    if m.clusters:find(',' .. cluster .. ',', 1, true) then
      found[#found + 1] = m
    end
  end

  if #found == 0 or last_look(instance, queue) ~= 0 then
    table.insert(found, 1, {queue = queue, id = instance, who = who})
  end

  return found
end

-- How many names they have. Nginx with one name, as during an upgrade of the
-- binary, count as one and are chosen together: either may answer clients.
local function names_of(found)
  local seen, n = {}, 0

  for _, m in ipairs(found) do
    if not seen[m.id] then
      seen[m.id] = true
      n = n + 1
    end
  end

  return n
end

-- The first N. The rank of an nginx depends on its name and the selector only
-- (rendezvous hashing), so that the same selector chooses the same nginx, and one
-- that comes or goes moves nothing between others.
local function first_of(found, n)
  if n >= names_of(found) then
    return found
  end

  for _, m in ipairs(found) do
    m.rank = redis.sha1hex(selector .. ' ' .. m.id)
  end

  table.sort(found, function(a, b)
    return a.rank > b.rank
  end)

  local chosen, last = {}, nil

  for _, m in ipairs(found) do
    if m.id ~= last then
      last = m.id
      n = n - 1
    end

    if n < 0 then
      break
    end

    chosen[#chosen + 1] = m
  end

  return chosen
end

local function wanted(found)
  local chosen, seen, there = {}, {}, {}

  for _, m in ipairs(found) do
    local address = m.who:match('^%S*')

    there[address] = there[address] or {}
    table.insert(there[address], m)
  end

  for address in addresses:gmatch('%S+') do
    if not seen[address] then
      for _, m in ipairs(there[address] or {{who = address .. ' '}}) do
        chosen[#chosen + 1] = m
      end
    end

    seen[address] = true
  end

  return chosen
end

local function choose(cluster, mode)
  if mode == 'here' then
    return {{queue = queue}}
  end

  local found = members_of(cluster)

  if mode == 'one' then
    return first_of(found, 1)
  elseif addresses ~= '' then
    return wanted(found)
  elseif count > 0 then
    return first_of(found, count)
  elseif percentage > 0 then
    return first_of(found, math.max(1, math.floor(names_of(found) * percentage
                                                  / 100)))
  end

  return found
end

local function tolerated(n)
  local most = tonumber(ARGV[19])

  if ARGV[20] == '0' then
    return most
  end

  local share = math.floor(n * most / 100)

  if share == 0 and most > 0 and n >= TOLERANT_FROM then
    return 1
  end

  return share
end

-- The jobs that this one is kept instead of, if it succeeds.
local function kept_before()
  local ids = {}

  for old in ((superseded or '') .. ' ' .. (earlier or '')):gmatch('%d+') do
    if call('ZSCORE', P .. 'kept', old) then
      ids[#ids + 1] = old
    end
  end

  return table.concat(ids, ' ')
end

local parts = {}
local rules = {}
local kept_in, kept_by = ' ', 'all'

if addresses ~= '' then
  kept_by = addresses .. ' '
elseif count > 0 or percentage > 0 then
  kept_by = 'chosen'
end

for i = CLUSTERS, #ARGV, 2 do
  local cluster = ARGV[i]:match('^%d+')
  local chosen = choose(cluster, ARGV[i + 1])

  rules[#rules + 1] = 'rule:' .. cluster
  rules[#rules + 1] = table.concat({#parts + 1, #chosen, tolerated(#chosen),
                                    ARGV[21]}, ' ')
  rules[#rules + 1] = 'left:' .. cluster
  rules[#rules + 1] = #chosen
  kept_in = kept_in .. cluster .. ' '

  if ARGV[i + 1] == 'one' then
    kept_by = 'chosen'
  end

  for _, m in ipairs(chosen) do
    parts[#parts + 1] = {cluster = ARGV[i], queue = m.queue, who = m.who,
                         id = m.id}
  end
end

if #parts > JOB_PARTS_MAX then
  return {'parts', #parts, JOB_PARTS_MAX}
end

-- When Redis has lost its newest jobs, clients still ask for them, so their
-- ids are not used again.
local newest = tonumber(call('GET', P .. 'job:next') or 0)
local id = text(math.max(newest, tonumber(ARGV[11])) + 1)
local deadline = text(now + ARGV[3])
local created = text(wall)
local n = text(#parts)
local job = {'uuid', ARGV[2], 'state', 'PENDING', 'created', created,
             'updated', created, 'deadline', deadline, 'timeout', ARGV[3],
             'keep', ARGV[4], 'about', ARGV[6], 'args', ARGV[7], 'parts', n,
             'left', n, 'token', ARGV[10]}

local function set(field, value)
  job[#job + 1] = field
  job[#job + 1] = value
end

if user ~= '' then
  set('user', user)
else
  set('owner', ARGV[10])
end

if ARGV[8] ~= '' then
  set('sealed', ARGV[8])
end

if ARGV[9] == '1' then
  set('configured', '1')
end

if kind ~= '' then
  set('kind', kind)
end

if task ~= '' then
  set('task', task)
end

if ARGV[25] ~= '' then
  set('hook', ARGV[25])
  set('webhook', 'PENDING 0 ' .. created .. ' ' .. ARGV[26])
end

if keep_until then
  keep_until = text(keep_until - wall + now)
  set('keep_until', keep_until)
  set('kept_in', kept_in)
  set('kept_by', kept_by)
  set('instead', kept_before())
end

if #parts > 1 then
  for _, rule in ipairs(rules) do
    job[#job + 1] = rule
  end
end

call('SET', P .. 'job:next', id)
call('SET', uuid, id, 'PX', RESEND_TIME)

for i, part in ipairs(parts) do
  set('c:' .. i, part.cluster)
  set('q:' .. i, part.queue or '')
  set('s:' .. i, 'PENDING')
  set('n:' .. i, '0')

  if part.who then
    set('h:' .. i, part.who)
  end

  if keep_until and kept_by == 'chosen' and part.id then
    set('kept:' .. part.id, '0')
  end

  if #job > FIELDS_MAX or i == #parts then
    call('HSET', job_key(id), unpack(job))
    job = {}
  end
end

call('ZADD', P .. 'deadlines', deadline, id)

if keep_until then
  call('ZADD', P .. 'kept', keep_until, id)
end

if user ~= '' then
  list(id, user, 'PENDING', kind)

  if kind == '' then
    add_count('accepted', 1)
  end

  if is_heard() then
    publish('new ' .. id)
  end
end

if task ~= '' then
  call('SET', P .. 'task:' .. task, id, 'PX', text(ARGV[3] + ARGV[4]))
end

if key ~= '' then
  local known_for = ONCE_TIME

  -- a job that is kept has to be found by the next one
  if is_push and keep_until then
    known_for = math.max(ONCE_TIME, keep_until - now)
  end

  call('SET', P .. 'once:' .. key, id .. ' ' .. ARGV[2] .. ' ' .. ARGV[24],
       'PX', text(known_for))
end

-- a stopping nginx may accept a job after others have found its queue empty and
-- removed it
call('ZADD', P .. 'owners:' .. instance, 'NX', now_text, queue)
call('ZADD', P .. 'members', 'NX', now_text, queue)

for i, part in ipairs(parts) do
  local member = id .. ':' .. i

  if not part.queue then
    finish(id, i, 'FAILURE', part.who:match('^%S*')
           .. ': no nginx of the cluster has this address', '')

  elseif wait(part.queue, member, ARGV[10]) then
    call('HSET', job_key(id), 'b:' .. i,
         text(before(part.queue, member)))
  end
end

return {id, created}
