-- Arguments: id, about as it was read, about, user_id.
-- Replaces what a job tells about itself, and lists it for its new user.
-- Reply: 1; 0: there is no such job; or 2: it has been changed meanwhile.
local id = ARGV[2]
local k = job_key(id)
local job = call('HMGET', k, 'about', 'user', 'state', 'kind')

if not job[1] then
  return 0
end

if job[1] ~= ARGV[3] then
  return 2
end

call('HSET', k, 'about', ARGV[4], 'updated', text(wall))

if job[2] and job[2] ~= ARGV[5] then
  local expires = call('ZSCORE', P .. 'expiry', id .. ' ' .. job[2])

  call('HSET', k, 'user', ARGV[5])
  unlist(id, job[2])
  list(id, ARGV[5], job[3], job[4])

  if expires then
    call('ZADD', P .. 'expiry', expires, id .. ' ' .. ARGV[5])
  end
end

return 1
