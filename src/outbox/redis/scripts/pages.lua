-- ARGV: how many are kept, then for each page: its key, when it was learned, and its row as JSON or '' when it has no forms.
for i = 2, #ARGV, 3 do
  if ARGV[i + 2] == '' then
    call('ZREM', P .. 'pages', ARGV[i])
    call('HDEL', P .. 'page', ARGV[i])
  else
    call('ZADD', P .. 'pages', ARGV[i + 1], ARGV[i])
    call('HSET', P .. 'page', ARGV[i], ARGV[i + 2])
  end
end
local many = call('ZCARD', P .. 'pages') - tonumber(ARGV[1])
if many > 0 then
  for _, page in ipairs(call('ZRANGE', P .. 'pages', 0, many - 1)) do
    call('ZREM', P .. 'pages', page)
    call('HDEL', P .. 'page', page)
  end
end
return 0
