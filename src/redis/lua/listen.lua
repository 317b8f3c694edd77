-- Arguments: milliseconds.
-- For so long somebody listens to all listed jobs: messages tell of each that is
-- new, has progress, ends or is deleted.
-- Reply: since when somebody has been listening without a gap, which is the same
-- as long as no message was left out; 0: PUBLISH is not permitted.
local sent = redis.pcall('PUBLISH', P .. 'wake', '')

if type(sent) == 'table' and sent.err then
  return '0'
end

local since = is_heard() and call('HGET', P .. 'schema', 'heard') or now_text

call('HSET', P .. 'schema', 'listen', text(now + ARGV[2]), 'heard', since)

return since
