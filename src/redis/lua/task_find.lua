-- Arguments: task.
-- Finds the newest job that has preheated a task and is still known.
-- Reply: {id, args}; or {}: there is none.
local id = call('GET', P .. 'task:' .. ARGV[2])

if not id then
  return {}
end

local args = call('HGET', job_key(id), 'args')

return args and {id, args} or {}
