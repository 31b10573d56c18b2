-- ARGV: now, pixel, how many, bytes, 'newest' or 'oldest', owner, length of a lease, longest wait.
local now, pixel, limit, bytes = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local owner, wait = ARGV[6], tonumber(ARGV[8])
local clock = server_millis()
local AT_ONCE = 1000

-- Whoever had these is dead, or so slow that it is no different.
for _, id in ipairs(call('ZRANGEBYSCORE', set_of('leased', pixel), '-inf', clock, 'LIMIT', 0, AT_ONCE)) do
  call('HDEL', key_of_delivery(id), 'owner')
  into_line(id, now)
end
for _, id in ipairs(call('ZRANGEBYSCORE', set_of('later', pixel), '-inf', now, 'LIMIT', 0, AT_ONCE)) do
  into_line(id, now)
end
-- Nothing is put off for so long: these were before the clock was set back.
for _, id in ipairs(call('ZRANGEBYSCORE', set_of('later', pixel), '(' .. (now + wait), '+inf', 'LIMIT', 0, AT_ONCE)) do
  to_the_front(id)
end

local taken, size = {}, 0
local function take(kind, most)
  local from = set_of(kind, pixel)
  local range = ARGV[5] == 'oldest' and 'ZRANGE' or 'ZREVRANGE'
  while #taken < most do
    -- Each of them leaves this line, so the next round sees others.
    local ids = call(range, from, 0, most - #taken - 1)
    if #ids == 0 then return end
    for _, id in ipairs(ids) do
      local key = key_of_delivery(id)
      local d = call('HMGET', key, 'event', 'id', 'time', 'only', 'attempts', 'in_doubt', 'due')
      local due = tonumber(d[7])
      if due > now and due <= now + wait then
        -- It was due by a clock that has been set back since.
        into_line(id, now)
      else
        local body = call('HGET', key_of_event(d[1]), 'body')
        size = size + #body
        if size > bytes and #taken > 0 then return end
        call('ZREM', from, id)
        call('ZADD', set_of('leased', pixel), clock + tonumber(ARGV[7]), id)
        call('HSET', key, 'owner', owner)
        call('HSETNX', key, 'in_doubt', number(now))
        table.insert(taken, { number(id), d[2], d[3], body, d[4], d[5], d[6] or '' })
      end
    end
  end
end
take('ready', limit)
-- Leads before event-only events, which Meta is expected to refuse.
if #taken == 0 then take('bare', 1) end
return taken
