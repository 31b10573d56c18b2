-- ARGV: now, owner, then one JSON text per verdict.
local now, owner = tonumber(ARGV[1]), ARGV[2]
for i = 3, #ARGV do
  local v = cjson.decode(ARGV[i])
  local key = key_of_delivery(v.delivery)
  local d = call('HMGET', key, 'state', 'owner', 'event')
  local told = { 'code', v.code, 'subcode', v.subcode, 'trace', v.trace }
  if not d[1] then
    -- An operator has removed it meanwhile.
  elseif v.state ~= 'pending' then
    -- Whoever says so, Meta has it; of what has ended meanwhile, nothing else is news: the ledger keeps why it ended.
    if d[1] == 'pending' or v.state == 'delivered' then
      end_delivery(v.delivery, v.state, v.reason, now)
      call('HSET', key, unpack(told))
      call('HINCRBY', key, 'attempts', 1)
      erase_unneeded(d[3])
    end
  elseif d[1] == 'pending' and (not d[2] or d[2] == owner) then
    call('HSET', key, 'due', v.due, 'reason', v.reason, unpack(told))
    call('HINCRBY', key, 'attempts', v.counts)
    call('HDEL', key, 'owner')
    if not v.in_doubt then call('HDEL', key, 'in_doubt') end
    local event = key_of_event(d[3])
    -- Not if it was erased meanwhile.
    if v.body and call('HGET', event, 'body') ~= '' then call('HSET', event, 'body', v.body) end
    into_line(v.delivery, now)
  end
end
return 0
