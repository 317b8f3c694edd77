-- lease, attempts allowed, overdue jobs a look, want (1: claim a part),
-- queues ...
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

local function claim(queue)
  local member = call('ZRANGEBYSCORE', P .. 'ready:' .. queue, '-inf',
                            now, 'LIMIT', 0, 1)[1]
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
  local job = call('HMGET', k, 'c:' .. part, 'deadline', 'uuid', 'args',
                         'sealed')

  return {id, part, run, job[1], job[2] - now, job[3], job[4], job[5] or ''}
end

local reply = {-1}
local next_at

for i = 6, #ARGV do
  for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'lease:' .. ARGV[i],
                                     '-inf', now, 'LIMIT', 0, 100)) do
    died(ARGV[i], member)
  end

  if ARGV[5] == '1' and #reply == 1 then
    for _, value in ipairs(claim(ARGV[i]) or {}) do
      reply[#reply + 1] = value
    end
  end

  local first = call('ZRANGE', P .. 'lease:' .. ARGV[i], 0, 0,
                           'WITHSCORES')[2]
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
