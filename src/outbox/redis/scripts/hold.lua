-- ARGV: now, how many may wait, fingerprint, browser, until, host, path, submission (JSON), event without user data or '',
-- ties, the id it would have.
local print = ARGV[3]
local key = P .. 'held:' .. print
local waits = call('HGET', key, 'id')
local first = waits or call('GET', P .. 'seen:' .. print)
if first then return { 'duplicate', first } end
if call('ZCARD', P .. 'held') >= tonumber(ARGV[2]) then return { 'too many', '' } end
call('HSET', key, 'browser', ARGV[4], 'until', ARGV[5], 'host', ARGV[6], 'path', ARGV[7], 'submission', ARGV[8],
  'bare', ARGV[9], 'ties', ARGV[10], 'id', ARGV[11])
call('ZADD', P .. 'held', ARGV[5], print)
call('SADD', P .. 'held-of:' .. ARGV[4], print)
for tie in string.gmatch(ARGV[10], '%S+') do call('SADD', P .. 'held-tie:' .. tie, print) end
return { 'waits', '' }
