-- uuid, timeout, keep, limit, about, args, sealed, configured, parts, and for
-- each part: "cluster task_uuid", queue
-- -> {id, created}; or {'full', unfinished jobs}
local uuid = P .. 'uuid:' .. ARGV[2]
local unfinished = call('ZCARD', P .. 'deadlines')

if unfinished >= tonumber(ARGV[5]) and call('EXISTS', uuid) == 0 then
  return {'full', unfinished}
end

local id = text(call('INCR', P .. 'job:next'))

if not call('SET', uuid, id, 'NX', 'PX', 600000) then
  id = call('GET', uuid)
  return {id, call('HGET', job_key(id), 'created')}
end

local deadline = text(now + ARGV[3])
local job = {'uuid', ARGV[2], 'state', 'PENDING', 'created', now_text,
             'updated', now_text, 'deadline', deadline, 'keep', ARGV[4],
             'about', ARGV[6], 'args', ARGV[7], 'parts', ARGV[10], 'left',
             ARGV[10]}
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
  set('c:' .. part, ARGV[9 + part * 2])
  set('q:' .. part, ARGV[10 + part * 2])
  set('s:' .. part, 'PENDING')
  set('n:' .. part, '0')
end

call('HSET', job_key(id), unpack(job))
call('ZADD', P .. 'deadlines', deadline, id)

for part = 1, parts do
  wait(ARGV[10 + part * 2], id .. ':' .. part)
end

return {id, now_text}
