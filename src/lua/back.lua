-- id, part, run: the part waits again; the attempt is not counted
-- -> 1; or 0: this run is not the part's any more
local id, part = ARGV[2], ARGV[3]
local job = call('HMGET', job_key(id), 's:' .. part, 'n:' .. part,
                       'q:' .. part)

if job[1] ~= 'PENDING' or job[2] ~= ARGV[4] then
  return 0
end

call('ZREM', P .. 'lease:' .. job[3], id .. ':' .. part)
wait(job[3], id .. ':' .. part)

return 1
