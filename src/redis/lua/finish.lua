-- id, part, run, uuid, state, error, results, progress
-- -> 1; or 0: this run is not the part's any more
if not mine(ARGV[2], ARGV[3], ARGV[4], ARGV[5]) then
  return 0
end

finish(ARGV[2], ARGV[3], ARGV[6], ARGV[7], ARGV[8], ARGV[9])

return 1
