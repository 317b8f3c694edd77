-- instance, queue: this nginx stops, so others may have what is in its queue
-- -> 1
call('ZADD', P .. 'owners:' .. ARGV[2], 'XX', 0, ARGV[3])

return 1
