-- ARGV: now, then deliveries. Those whose event has been erased stay dead.
local now, due = tonumber(ARGV[1]), 0
for i = 2, #ARGV do
  local key = key_of_delivery(ARGV[i])
  local d = call('HMGET', key, 'state', 'event')
  if d[1] == 'dead' and (call('HGET', key_of_event(d[2]), 'body') or '') ~= '' then
    call('HSET', key, 'state', 'pending', 'due', number(now), 'reason', 'retry')
    call('HDEL', key, 'in_doubt')
    call('ZREM', P .. 'settled:dead', member(ARGV[i]))
    into_line(ARGV[i], now)
    due = due + 1
  end
end
if due > 0 then call('INCR', P .. 'news') end
return due
