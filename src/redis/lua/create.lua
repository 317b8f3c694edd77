-- Arguments: uuid, timeout, keep, limit, about, args, sealed, configured,
-- number of parts, greatest id that this nginx knows, instance, and for each
-- part: "cluster task_uuid", queue.
-- Stores a job, once for each uuid.
-- Reply: {id, created}; or {'full', unfinished jobs}.
local uuid = P .. 'uuid:' .. ARGV[2]
local known = call('GET', uuid)

if known then
  local job = call('HMGET', job_key(known), 'uuid', 'created')

  if job[1] == ARGV[2] then
    return {known, job[2]}
  end
end

local unfinished = call('ZCARD', P .. 'deadlines')

if unfinished >= tonumber(ARGV[5]) then
  return {'full', unfinished}
end

-- When Redis has lost its newest jobs, clients still ask for them, so their
-- ids are not used again.
local newest = tonumber(call('GET', P .. 'job:next') or 0)
local id = text(math.max(newest, tonumber(ARGV[11])) + 1)
local deadline = text(now + ARGV[3])
local created = text(wall)
local job = {'uuid', ARGV[2], 'state', 'PENDING', 'created', created,
             'updated', created, 'deadline', deadline, 'timeout', ARGV[3],
             'keep', ARGV[4], 'about', ARGV[6], 'args', ARGV[7], 'parts',
             ARGV[10], 'left', ARGV[10]}
local n = #job

local function set(field, value)
  job[n + 1] = field
  job[n + 2] = value
  n = n + 2
end

if ARGV[8] ~= '' then
  set('sealed', ARGV[8])
end

if ARGV[9] == '1' then
  set('configured', '1')
end

local parts = tonumber(ARGV[10])

for part = 1, parts do
  set('c:' .. part, ARGV[11 + part * 2])
  set('q:' .. part, ARGV[12 + part * 2])
  set('s:' .. part, 'PENDING')
  set('n:' .. part, '0')
end

call('SET', P .. 'job:next', id)
call('SET', uuid, id, 'PX', RESEND_TIME)
call('HSET', job_key(id), unpack(job))
call('ZADD', P .. 'deadlines', deadline, id)

for part = 1, parts do
  local queue = ARGV[12 + part * 2]

  -- a stopping nginx may accept a job after the next one has found its queue
  -- empty and removed it
  call('ZADD', P .. 'owners:' .. ARGV[12], 'NX', now_text, queue)
  wait(queue, id .. ':' .. part)
end

return {id, created}
