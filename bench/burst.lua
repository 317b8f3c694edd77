-- wrk -s burst.lua URL -- BODY COUNT FILE: each thread posts BODY until it has
-- COUNT answers, and leaves the ids of the jobs in FILE.1, FILE.2, ...

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set('number', threads)
end

function init(args)
  wrk.method = 'POST'
  wrk.headers['Content-Type'] = 'application/json'
  wrk.body = args[1]

  left = tonumber(args[2])
  name = args[3] .. '.' .. number
  ids = assert(io.open(name .. '.new', 'w'))
end

function response(status, headers, body)
  if left == 0 then
    return
  end

  ids:write(status == 200 and body:match('"id":(%d+)') or 'refused', '\n')
  left = left - 1

  -- the file appears once, whole

  if left == 0 then
    ids:close()
    os.rename(name .. '.new', name)
    wrk.thread:stop()
  end
end
