-- Answers how many deliveries wait, how many are dead, how many submissions wait for a choice.
local pending = 0
for _, pixel in ipairs(call('SMEMBERS', P .. 'pixels')) do
  for _, kind in ipairs(KINDS) do pending = pending + call('ZCARD', set_of(kind, pixel)) end
end
return { pending, call('ZCARD', P .. 'settled:dead'), call('ZCARD', P .. 'held') }
