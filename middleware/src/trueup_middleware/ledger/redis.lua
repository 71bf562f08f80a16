-- The ledger's arithmetic, run by Redis or Valkey as one step. Its operations share it; the first argument names one.
--
-- An account of money is a hash: `total`, settled and held, and `h<hour>`, what was settled of the calls that started in
-- an hour. An account of requests is a sorted set of reservations by the moment at which they stop counting. What is held
-- stands once for the installation: `ends`, reservations by the moment at which their holds end, and `holds`, the amount
-- and the accounts of each. So a call costs one command an account, not nine.
--
-- Lua's numbers are doubles, exact to 2^53: nine million dollars in 10^-9. Sums are left to HINCRBY, which counts in 64
-- bits; where its answer or an operand is too large for a double, text is read and compared instead.

local operation, now = ARGV[1], ARGV[2]
local EXACT = 9007199254740992

-- Whether whole number a is greater than b, both as text.
local function greater(a, b)
  local a_negative, b_negative = a:sub(1, 1) == '-', b:sub(1, 1) == '-'
  if a_negative ~= b_negative then return b_negative end
  if a_negative then a, b = b:sub(2), a:sub(2) end
  if #a ~= #b then return #a > #b end
  return a > b
end

local function negated(amount)
  if amount:sub(1, 1) == '-' then return amount:sub(2) end
  if amount == '0' then return amount end
  return '-' .. amount
end

-- Add to a sum; returns it: a number, or its text where a number would not be exact.
local function add(account, field, amount)
  local sum = redis.call('HINCRBY', account, field, amount)
  if sum >= EXACT or sum <= -EXACT then return redis.call('HGET', account, field) end
  return sum
end

-- Whether a sum is what was added last: it was 0 before, and its account may be new and without an end.
local function is_first(sum, amount)
  return sum == amount or sum == tonumber(amount)
end

local function exceeds(total, limit)
  if type(total) == 'number' and #limit < 16 then return total > tonumber(limit) end
  return greater(type(total) == 'number' and string.format('%.0f', total) or total, limit)
end

local function total_of(account)
  return redis.call('HGET', account, 'total') or '0'
end

local function keep(account, until_ms)
  redis.call('PEXPIRE', account, math.max(1, tonumber(until_ms) - tonumber(now)))
end

-- End a hold; returns what was held, and the accounts of it.
local function let_go(ends, holds, reservation)
  local held = redis.call('HGET', holds, reservation)
  if not held then return end
  redis.call('HDEL', holds, reservation)
  redis.call('ZREM', ends, reservation)
  held = cmsgpack.unpack(held)
  local amount = table.remove(held, 1)
  if amount ~= '0' then
    for _, account in ipairs(held) do add(account, 'total', negated(amount)) end
  end
  return held
end

local function sweep(ends, holds)
  for _, reservation in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
    let_go(ends, holds, reservation)
  end
end

local function count(account, hour, actual, kept_until)
  if actual == '0' then return end
  add(account, 'total', actual)
  -- The first of an hour may be the first of an account that the store has lost.
  local of_hour = add(account, 'h' .. hour, actual)
  if kept_until and is_first(of_hour, actual) then keep(account, kept_until) end
end

-- KEYS: ends, holds, accounts of requests, accounts of money. ARGV from 3: reservation, amount, held until, keep ends and
-- holds until, length of a rate (ms), number of accounts of requests; limit of each of those; limit, kept until of each
-- account of money.
if operation == 'reserve' then
  local ends, holds, reservation, amount = KEYS[1], KEYS[2], ARGV[3], ARGV[4]
  local rates, totals = tonumber(ARGV[8]), {}
  sweep(ends, holds)
  local is_repeat = redis.call('ZADD', ends, 'NX', ARGV[5], reservation) == 0
  for rate = 1, rates do
    local requests, limit = KEYS[2 + rate], ARGV[8 + rate]
    redis.call('ZREMRANGEBYSCORE', requests, '-inf', now)
    local counted = redis.call('ZCARD', requests)
    if not is_repeat and limit ~= '' and counted >= tonumber(limit) then
      redis.call('ZREM', ends, reservation)
      local first = redis.call('ZRANGE', requests, 0, 0, 'WITHSCORES')
      return {'short', rate - 1, counted, {}, first[2] or ''}
    end
    totals[rate] = is_repeat and counted or counted + 1
  end
  local held = {amount}
  for place = 1, #KEYS - 2 - rates do
    local account, at = KEYS[2 + rates + place], 7 + rates + 2 * place
    local limit, total = ARGV[at]
    if is_repeat or amount == '0' then
      total = total_of(account)
    else
      total = add(account, 'total', amount)
      if is_first(total, amount) then keep(account, ARGV[at + 1]) end
      if limit ~= '' and exceeds(total, limit) then
        add(account, 'total', negated(amount))
        for taken = 2, #held do add(held[taken], 'total', negated(amount)) end
        redis.call('ZREM', ends, reservation)
        return {'short', rates + place - 1, total_of(account), redis.call('HGETALL', account), ''}
      end
    end
    held[place + 1] = account
    totals[rates + place] = total
  end
  if not is_repeat then
    for rate = 1, rates do
      local requests = KEYS[2 + rate]
      redis.call('ZADD', requests, now + ARGV[7], reservation)
      redis.call('PEXPIRE', requests, 2 * ARGV[7])
    end
    redis.call('HSET', holds, reservation, cmsgpack.pack(held))
    keep(ends, ARGV[6])
    keep(holds, ARGV[6])
  end
  return totals
end

-- KEYS: the marker, ends, holds, accounts of money. ARGV from 3: reservation, marker kept for (ms), actual, hour; kept
-- until of each account.
if operation == 'settle' then
  if not redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[4]) then return 0 end
  let_go(KEYS[2], KEYS[3], ARGV[3])
  for place = 4, #KEYS do count(KEYS[place], ARGV[6], ARGV[5], ARGV[3 + place]) end
  return 1
end

-- KEYS: the marker, ends, holds. ARGV from 3: reservation, marker kept for (ms), actual, hour.
if operation == 'settle_held' then
  sweep(KEYS[2], KEYS[3])
  if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 then return 0 end
  if not redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[4]) then return 0 end
  for _, account in ipairs(let_go(KEYS[2], KEYS[3], ARGV[3])) do count(account, ARGV[6], ARGV[5]) end
  return 1
end

-- KEYS: the marker, ends, holds, accounts of requests. ARGV from 3: reservation, marker kept for (ms).
if operation == 'release' then
  if not redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[4]) then return 0 end
  let_go(KEYS[2], KEYS[3], ARGV[3])
  for place = 4, #KEYS do redis.call('ZREM', KEYS[place], ARGV[3]) end
  return 1
end

-- KEYS: account. ARGV from 3: first hour, end (exclusive), kept until; hour, settled of each.
if operation == 'correct' then
  local account, first, last = KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[4])
  local wanted, changes = {}, {}
  for place = 6, #ARGV, 2 do wanted['h' .. ARGV[place]] = ARGV[place + 1] end
  for _, field in ipairs(redis.call('HKEYS', account)) do
    local hour = tonumber(field:match('^h(%d+)$'))
    if hour and hour >= first and hour < last and not wanted[field] then wanted[field] = '0' end
  end
  for field, settled in pairs(wanted) do
    local found = redis.call('HGET', account, field) or '0'
    for _, amount in ipairs({settled, negated(found)}) do
      if amount ~= '0' then
        add(account, 'total', amount)
        add(account, field, amount)
      end
    end
    changes[#changes + 1] = settled
    changes[#changes + 1] = negated(found)
  end
  keep(account, ARGV[5])
  return changes
end

-- KEYS: account, ends, holds.
if operation == 'balance' then
  sweep(KEYS[2], KEYS[3])
  return redis.call('HGETALL', KEYS[1])
end

return redis.error_reply('no such operation')
