-- Gives the month a call back.
if number(redis.call('GET', KEYS[1])) > 0 then
    redis.call('DECR', KEYS[1])
end
return 0
