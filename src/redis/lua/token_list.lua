-- Arguments: tokens before the first one that is wanted, how many are wanted,
-- state, user_id; "": any.
-- Lists tokens, the newest first.
-- Reply: {ids that could not be added to the list yet: the list has to be read
-- again, tokens in all (-1: unknown, more would have to be compared), then what
-- is shown of each token}.
local before, wanted = tonumber(ARGV[2]), tonumber(ARGV[3])
local state, user = ARGV[4], ARGV[5]

-- ids that are added, and tokens that are compared with the filters, at once
local IDS_MAX = 10000
local COMPARED_MAX = 10000

local list = P .. 'token:list'
local listed = tonumber(call('GET', P .. 'token:listed') or 0)
local newest = tonumber(call('GET', P .. 'token:next') or 0)
local last = math.min(newest, listed + IDS_MAX)

for id = listed + 1, last do
  if call('EXISTS', P .. 'token:' .. text(id)) == 1 then
    call('ZADD', list, text(id), text(id))
  end
end

if last > listed then
  call('SET', P .. 'token:listed', text(last))
end

local reply = {newest - last, call('ZCARD', list)}

if last < newest then
  return reply
end

-- N ids from the newest but START on, the newest last: ZRANGE counts from the
-- end, because not all versions can reverse it.
local function newest_ids(start, n)
  return call('ZRANGE', list, text(-start - n), text(-start - 1))
end

local function show(token)
  if token then
    for i = 1, 10 do
      reply[#reply + 1] = token[i]
    end
  end
end

if state == '' and user == '' then
  if before < reply[2] then
    local ids = newest_ids(before, math.min(wanted, reply[2] - before))

    for i = #ids, 1, -1 do
      show(shown_token(ids[i]))
    end
  end

  return reply
end

local compared = math.min(reply[2], COMPARED_MAX)
local ids = newest_ids(0, compared)
local found = 0

for i = #ids, 1, -1 do
  local token = call('HMGET', P .. 'token:' .. ids[i], 'state', 'user_id')

  if (state == '' or token[1] == state) and (user == '' or token[2] == user)
  then
    found = found + 1

    if found > before and found <= before + wanted then
      show(shown_token(ids[i]))
    end
  end
end

reply[2] = compared < reply[2] and -1 or found

return reply
