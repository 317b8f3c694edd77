-- id, part, run, state, error, results, progress
-- -> 1; or 0: this run is not the part's any more
return finish(ARGV[2], ARGV[3], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[4])
       and 1 or 0
