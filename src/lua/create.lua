-- uuid, timeout, keep, limit, type, bio, user_id, args, sealed, parts, and
-- for each part: cluster, queue, task_uuid
-- -> {id, created}; or {'full', unfinished jobs}
local uuid = P .. 'uuid:' .. ARGV[2]
local unfinished = call('ZCARD', P .. 'deadlines')

if unfinished >= tonumber(ARGV[5]) and call('EXISTS', uuid) == 0 then
  return {'full', unfinished}
end

local id = call('INCR', P .. 'job:next')

if not call('SET', uuid, id, 'NX', 'PX', 600000) then
  id = call('GET', uuid)
  return {id, call('HGET', job_key(id), 'created')}
end

local deadline = now + tonumber(ARGV[3])
local parts = tonumber(ARGV[11])
local job = {'uuid', ARGV[2], 'state', 'PENDING', 'created', now, 'updated',
             now, 'timeout', ARGV[3], 'deadline', deadline, 'keep', ARGV[4],
             'type', ARGV[6], 'bio', ARGV[7], 'user_id', ARGV[8], 'args',
             ARGV[9], 'parts', parts, 'left', parts, 'failed', 0}
local n = #job

local function set(field, value)
  job[n + 1] = field
  job[n + 2] = value
  n = n + 2
end

if ARGV[10] ~= '' then
  set('sealed', ARGV[10])
end

for part = 1, parts do
  local at = 9 + part * 3

  set('c:' .. part, ARGV[at])
  set('q:' .. part, ARGV[at + 1])
  set('t:' .. part, ARGV[at + 2])
  set('s:' .. part, 'PENDING')
  set('n:' .. part, 0)
  set('d:' .. part, 0)
end

call('HSET', job_key(id), unpack(job))
call('ZADD', P .. 'deadlines', deadline, id)

for part = 1, parts do
  local queue = ARGV[10 + part * 3]

  call('ZADD', P .. 'ready:' .. queue, now, id .. ':' .. part)
  call('PUBLISH', P .. 'wake', queue)
end

return {id, now}
