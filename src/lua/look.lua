-- lease, attempts allowed, overdue jobs a look, want (1: claim a part),
-- worker, its last claim as far as it knows ("id:part run", or ""), queues ...
-- -> {ms until the next deadline or lease, or -1;
--     then, when a part was claimed: id, part, run, cluster, left ms, uuid,
--     args, sealed}
local lease = tonumber(ARGV[2])
local allowed = tonumber(ARGV[3])

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', now,
                        'LIMIT', 0, ARGV[4])) do
  overdue(id)
end

local function died(queue, member)
  local id, part = member:match('^(%d+):(%d+)$')
  local deaths = call('HINCRBY', job_key(id), 'd:' .. part, 1)

  call('ZREM', P .. 'lease:' .. queue, member)

  if deaths < allowed then
    call('ZADD', P .. 'ready:' .. queue, now, member)
    return
  end

  finish(id, part, 'FAILURE', 'given up after ' .. deaths ..
         ' attempts: each time the worker died or lost redis', '')
end

-- What a worker claimed by a look whose answer it did not get, it gets by one
-- of the next: claim:WORKER is its last claim, and it says which one it knows.
local last_key = P .. 'claim:' .. ARGV[6]

local function take(id, part, run)
  local job = call('HMGET', job_key(id), 'c:' .. part, 'deadline', 'uuid',
                   'args', 'sealed')

  return {id, part, run, job[1], job[2] - now, job[3], job[4], job[5] or ''}
end

local function claim_again()
  local last = call('GET', last_key)

  if not last or last == ARGV[7] then
    return
  end

  local id, part, run = last:match('^(%d+):(%d+) (%d+)$')
  local job = call('HMGET', job_key(id), 's:' .. part, 'n:' .. part,
                   'q:' .. part)

  if job[1] ~= 'PENDING' or job[2] ~= run then
    return
  end

  call('ZREM', P .. 'ready:' .. job[3], id .. ':' .. part)
  call('ZADD', P .. 'lease:' .. job[3], now + lease, id .. ':' .. part)

  return take(id, part, run)
end

local function claim(queue)
  local member = call('ZRANGEBYSCORE', P .. 'ready:' .. queue, '-inf', now,
                      'LIMIT', 0, 1)[1]
  if not member then
    return
  end

  call('ZREM', P .. 'ready:' .. queue, member)

  local id, part = member:match('^(%d+):(%d+)$')
  local k = job_key(id)

  if call('HGET', k, 's:' .. part) ~= 'PENDING' then
    return
  end

  call('ZADD', P .. 'lease:' .. queue, now + lease, member)

  local run = call('HINCRBY', k, 'n:' .. part, 1)

  call('SET', last_key, member .. ' ' .. run, 'PX', 600000)

  return take(id, part, run)
end

local function append(list, values)
  for _, value in ipairs(values or {}) do
    list[#list + 1] = value
  end
end

local reply = {-1}
local next_at

if ARGV[5] == '1' then
  append(reply, claim_again())
end

for i = 8, #ARGV do
  for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'lease:' .. ARGV[i], '-inf',
                          now, 'LIMIT', 0, 100)) do
    died(ARGV[i], member)
  end

  if ARGV[5] == '1' and #reply == 1 then
    append(reply, claim(ARGV[i]))
  end

  local first = call('ZRANGE', P .. 'lease:' .. ARGV[i], 0, 0, 'WITHSCORES')[2]
  if first and (not next_at or tonumber(first) < next_at) then
    next_at = tonumber(first)
  end
end

local first = call('ZRANGE', P .. 'deadlines', 0, 0, 'WITHSCORES')[2]

if first and (not next_at or tonumber(first) < next_at) then
  next_at = tonumber(first)
end

if next_at then
  reply[1] = math.max(0, next_at - now)
end

return reply
