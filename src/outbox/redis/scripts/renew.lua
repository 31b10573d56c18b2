-- ARGV: owner, length of a lease, then deliveries that are on their way.
local over = server_millis() + tonumber(ARGV[2])
for i = 3, #ARGV do
  local d = call('HMGET', key_of_delivery(ARGV[i]), 'pixel', 'owner')
  if d[2] == ARGV[1] then call('ZADD', set_of('leased', d[1]), 'XX', over, member(ARGV[i])) end
end
return call('GET', P .. 'news')
