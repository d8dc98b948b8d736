-- What has been used.
local places, operation, platform, app, month, egress = unpack(KEYS)
local function left(key)
    return math.max(number(redis.call('HGET', key, 'paused')) - now, 0)
end
local function ahead(key)
    return math.max(number(redis.call('HGET', key, 'tat')) - now, 0)
end
return {
    number(redis.call('GET', month)),
    left(app),
    redis.call('ZCOUNT', places, '(' .. text(now), '+inf'),
    math.max(left(operation), left(platform)),
    left(egress),
    ahead(operation),
    ahead(egress),
}
