-- Arguments: id, part, run, uuid, state, error, results, progress.
-- Ends a part.
-- Reply: 1; or 0: the part belongs to another run now.
if not mine(ARGV[2], ARGV[3], ARGV[4], ARGV[5]) then
  return 0
end

finish(ARGV[2], ARGV[3], ARGV[6], ARGV[7], ARGV[8], ARGV[9])

return 1
