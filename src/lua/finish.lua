-- id, part, run, state, error, results, progress
-- -> 1; or 0: this run is not the part's any more
local id, part = ARGV[2], ARGV[3]

if call('HGET', job_key(id), 'n:' .. part) ~= ARGV[4] then
  return 0
end

return finish(id, part, ARGV[5], ARGV[6], ARGV[7], ARGV[8]) and 1 or 0
