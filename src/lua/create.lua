-- uuid, timeout, keep, limit, type, bio, user_id, args, sealed, parts, and
-- for each part: cluster, queue, task_uuid
-- -> {id, created}; or {'full', unfinished jobs}
local uuid = ARGV[2]
local id = redis.call('GET', P .. 'uuid:' .. uuid)

if id then
  return {id, redis.call('HGET', job_key(id), 'created')}
end

local unfinished = redis.call('ZCARD', P .. 'deadlines')

if unfinished >= tonumber(ARGV[5]) then
  return {'full', unfinished}
end

id = redis.call('INCR', P .. 'job:next')

local k = job_key(id)
local deadline = now + tonumber(ARGV[3])
local parts = tonumber(ARGV[11])

redis.call('SET', P .. 'uuid:' .. uuid, id, 'PX', 600000)
redis.call('HSET', k, 'uuid', uuid, 'state', 'PENDING', 'created', now,
           'updated', now, 'timeout', ARGV[3], 'deadline', deadline,
           'keep', ARGV[4], 'type', ARGV[6], 'bio', ARGV[7],
           'user_id', ARGV[8], 'args', ARGV[9], 'parts', parts,
           'left', parts)

if ARGV[10] ~= '' then
  redis.call('HSET', k, 'sealed', ARGV[10])
end

redis.call('ZADD', P .. 'deadlines', deadline, id)

for part = 1, parts do
  local cluster, queue, task = unpack(ARGV, 9 + part * 3, 11 + part * 3)
  redis.call('HSET', k, 'c:' .. part, cluster, 'q:' .. part, queue,
             't:' .. part, task, 's:' .. part, 'PENDING', 'n:' .. part, 0,
             'd:' .. part, 0)
  redis.call('ZADD', P .. 'ready:' .. queue, now, id .. ':' .. part)
  redis.call('PUBLISH', P .. 'wake', queue)
end

return {id, now}
