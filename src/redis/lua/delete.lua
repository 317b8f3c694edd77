-- Arguments: id, token.
-- Deletes a job; the workers that run it are told to stop.
-- Reply: 1; or 0: there is no such job.
local id = ARGV[2]
local k = job_key(id)
local job = call('HMGET', k, 'uuid', 'parts', 'state', 'user', 'wait', 'owner')

if not job[1] or job[6] and job[6] ~= ARGV[3] then
  return 0
end

for part = 1, tonumber(job[2]) do
  local queue = call('HGET', k, 'q:' .. part)

  if queue then
    call('ZREM', P .. 'ready:' .. queue, id .. ':' .. part)
    call('ZREM', P .. 'lease:' .. queue, id .. ':' .. part)
  end
end

call('ZREM', P .. 'deadlines', id)
call('ZREM', P .. 'hooks', id)
unlist(id, job[4] or '0')
call('PEXPIRE', k, 0)

if job[3] == 'PENDING' and job[4] then
  add_count('deleted', 1)
end

if job[3] == 'PENDING' then
  redis.pcall('PUBLISH', P .. 'wake', 'cancel ' .. job[1])
end

if job[5] then
  redis.pcall('PUBLISH', P .. 'wake', 'job ' .. id)
end

return 1
