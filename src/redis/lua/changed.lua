-- Arguments: ids, joined by blanks, those of new jobs after a "+"; parts that are
-- wanted at most, but for those of the first job; bytes of the args of new jobs.
-- What is shown of jobs that have changed, without their results; of new ones
-- also what does not change. Jobs that are not listed, and those that do not
-- exist any more, are left out.
-- Reply: {ids that were looked at, 0; and for each job {id, fields as HGETALL}}.
local parts_left, room = tonumber(ARGV[3]), tonumber(ARGV[4])
local reply = {0, 0}

local common = {'parts', 'user', 'state', 'updated'}
local created = {'uuid', 'about', 'created', 'webhook', 'args'}
local of_part = {'c:', 's:', 'g:', 'e:', 'h:', 'u:', 'z:', 'd:'}

-- parts of which the fields are read at once
local PARTS_READ = 100

-- Adds the fields with these NAMES that the job has.
local function add(job, names, values)
  for i, value in ipairs(values) do
    if value then
      job[#job + 1] = names[i]
      job[#job + 1] = value
    end
  end
end

local function add_parts(job, k, first, last)
  local names = {}

  for part = first, last do
    for _, field in ipairs(of_part) do
      names[#names + 1] = field .. part
    end
  end

  add(job, names, call('HMGET', k, unpack(names)))
end

local function look(id, is_new)
  local k = job_key(id)
  local values = call('HMGET', k, unpack(common))
  local parts = parts_of(values[1])

  if not values[2] then
    return true
  end

  if parts > parts_left and reply[1] > 0 then
    return false
  end

  parts_left = parts_left - parts

  local job = {'id', id}

  add(job, common, values)

  for first = 1, parts, PARTS_READ do
    add_parts(job, k, first, math.min(parts, first + PARTS_READ - 1))
  end

  if is_new then
    local more = call('HMGET', k, unpack(created))
    local bytes = #(more[5] or '')

    if bytes > room then
      more[5] = false
    else
      room = room - bytes
    end

    add(job, created, more)
  end

  reply[#reply + 1] = job

  return true
end

for new, id in ARGV[2]:gmatch('(%+?)(%d+)') do
  if not look(id, new == '+') then
    break
  end

  reply[1] = reply[1] + 1
end

return reply
