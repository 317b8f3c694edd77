-- id, name, address, clusters, ttl: this instance is alive
local k = P .. 'instance:' .. ARGV[2]

call('HSET', k, 'name', ARGV[3], 'address', ARGV[4],
           'clusters', ARGV[5], 'seen', now)
call('PEXPIRE', k, ARGV[6])

return 1
