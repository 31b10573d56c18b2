-- ARGV: name, value. Sets what is set once, and answers what is set.
call('HSETNX', P .. 'meta', ARGV[1], ARGV[2])
return call('HGET', P .. 'meta', ARGV[1])
