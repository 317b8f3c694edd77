-- Arguments: instance, queue.
-- This nginx stops: others may take over its queue at once.
-- Reply: 1.
call('ZADD', P .. 'owners:' .. ARGV[2], 'XX', 0, ARGV[3])

return 1
