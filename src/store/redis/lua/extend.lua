-- Holds a place until a later time.
local release = tonumber(ARGV[2])
local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
if held and release > tonumber(held) and release > now then
    redis.call('ZADD', KEYS[1], text(release), ARGV[1])
    keep(KEYS[1], release)
end
return 0
