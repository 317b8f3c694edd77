-- Arguments: prefix. The common part does not precede this script.
-- Tells, before a connection is used, whether the user may run all commands of
-- the scripts, so that no script fails halfway. Nothing is written: the
-- commands that write have invalid arguments.
-- Reply: {version of the schema or '', each command that is not permitted}.
local P = ARGV[1]
local reply = {''}

local function may(...)
  local value = redis.pcall(...)

  if type(value) == 'table' and value.err then
    if value.err:find('user executing the script can', 1, true) then
      reply[#reply + 1] = table.concat({...}, ' ', 1,
                                         math.min(2, select('#', ...)))
    end

    return nil
  end

  return value
end

local schema = may('HMGET', P .. 'schema', 'version')

if schema then
  reply[1] = schema[1] or ''
end

may('TIME')

for _, key in ipairs({'schema', 'job:', 'uuid:', 'ready:', 'lease:',
                      'deadlines', 'owners:', 'members', 'instance:',
                      'turn:', 'back:', 'jobs', 'expiry', 'once:', 'hooks', 'claims:',
                      'counts:', 'token:', 'peers:', 'task:', 'kept', 'sealed:',
                      'looked:', 'looking:'}) do
  may('PEXPIRE', P .. key, 'x')
  may('EXISTS', P .. key)
end

may('GET', P .. 'uuid:')
may('SET', P .. 'uuid:', 'x', 'PX', 'x')
may('INCRBY', P .. 'token:', 'x')
may('HGET', P .. 'job:', 'x')
may('HGETALL', P .. 'job:')
may('HSET', P .. 'job:', 'x', 'x', 'x')
may('HINCRBY', P .. 'job:', 'x', 'x')
may('HDEL', P .. 'job:', 'x')
may('ZADD', P .. 'ready:', 'x', 'x')
may('ZREM', P .. 'ready:', 'x')
may('ZCARD', P .. 'ready:')
may('ZSCORE', P .. 'ready:', 'x')
may('ZCOUNT', P .. 'ready:', 0, 0)
may('ZRANGE', P .. 'ready:', 0, 0)
may('ZRANGEBYSCORE', P .. 'ready:', 0, 0)
may('PUBLISH', P .. 'wake', '')

return reply
