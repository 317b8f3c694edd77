-- id, part, run, state, error, results, progress
-- -> 1; or 0: this run is not the part's any more
local id, part = ARGV[2], ARGV[3]
local k = job_key(id)

if redis.call('HGET', k, 'n:' .. part) ~= ARGV[4] then
  return 0
end

if not finish(id, part, ARGV[5], ARGV[6], ARGV[7]) then
  return 0
end

redis.call('HSET', k, 'g:' .. part, ARGV[8])

return 1
