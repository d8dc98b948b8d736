-- Claims a key, or tells why not. A claim that runs out before anything was sent is deleted by its expiry.
local fingerprint, owner, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local entry = redis.call('HMGET', KEYS[1], 'fingerprint', 'outcome', 'sent', 'lease')
if not entry[1] then
    redis.call('HSET', KEYS[1], 'fingerprint', fingerprint, 'owner', owner, 'lease', text(now + lease))
    redis.call('PEXPIRE', KEYS[1], math.ceil(lease / 1000))
    return {'mine', ''}
elseif entry[1] ~= fingerprint then
    return {'reused', ''}
elseif entry[2] then
    return {'done', entry[2]}
elseif entry[3] and number(entry[4]) <= now then
    return {'doubt', ''}
end
return {'busy', ''}
