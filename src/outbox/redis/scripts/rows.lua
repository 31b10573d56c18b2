-- ARGV: deliveries. Answers what the verbs show of each; those that are gone are left out.
local rows = {}
for i = 1, #ARGV do
  local d = call('HMGET', key_of_delivery(ARGV[i]), 'id', 'name', 'pixel', 'state', 'reason', 'code', 'subcode', 'attempts',
    'time', 'due', 'trace', 'event')
  if d[1] then
    table.insert(d, 1, number(ARGV[i]))
    table.insert(rows, d)
  end
end
return rows
