-- Arguments: id, uuid of the request, token.
-- Deletes a job; the workers that run it are told to stop.
-- Reply: 1; or 0: there is no such job.
local id, uuid = ARGV[2], P .. 'uuid:' .. ARGV[3]
local k = job_key(id)
local job = call('HMGET', k, 'uuid', 'parts', 'state', 'user', 'wait', 'owner',
                 'kind', 'task', 'looks')

-- the same request once more, after a lost reply
if not job[1] then
  return call('GET', uuid) == id and 1 or 0
end

if job[6] and job[6] ~= ARGV[4] then
  return 0
end

-- Redis at its maxmemory refuses nothing after a script's first write, and this one
-- needs no memory
call('ZREM', P .. 'deadlines', id)
call('SET', uuid, id, 'PX', RESEND_TIME)

withdraw(id, 1, parts_of(job[2]) + parts_of(job[9]))

call('ZREM', P .. 'hooks', id)
call('ZREM', P .. 'kept', id)
call('PEXPIRE', P .. 'sealed:' .. id, 0)
unlist(id, job[4] or '0')
call('PEXPIRE', k, 0)
keep_task(id, job[8], 0)

if job[3] == 'PENDING' and job[4] and not job[7] then
  add_count('deleted', 1)
end

if job[3] == 'PENDING' or job[9] then
  publish('cancel ' .. job[1])
end

if job[5] then
  publish('job ' .. id)
end

if job[4] and is_heard() then
  publish('deleted ' .. id)
end

return 1
