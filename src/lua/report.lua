-- id, part, run, lease, progress
-- -> 1; or 0: this run is not the part's any more
local id, part = ARGV[2], ARGV[3]
local k = job_key(id)
local job = call('HMGET', k, 's:' .. part, 'n:' .. part, 'q:' .. part)

if job[1] ~= 'PENDING' or job[2] ~= ARGV[4] then
  return 0
end

call('ZREM', P .. 'ready:' .. job[3], id .. ':' .. part)
call('ZADD', P .. 'lease:' .. job[3], text(now + ARGV[5]), id .. ':' .. part)
call('HSET', k, 'g:' .. part, ARGV[6], 'updated', now_text)

return 1
