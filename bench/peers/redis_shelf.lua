#!lua name=shelf
-- The job in Redis: nearest feasible source of two lines, taken at once, remembered, one call.
--
-- Keys: h:<item> hash of node -> free units; b:<item> a bit per node, 1 where units may be free;
-- near:<area> the nodes from the nearest on, two bytes each; o:<order> what was answered.
-- A walk over strings costs no call into Redis, so that an order needs nine calls whatever the
-- walk's length. The lists never change: those of an area are decoded once, its nearest part first.
-- A byte per node instead of a bit was tried: strings of 4.6 KB cost Lua more than the bits do.

local HEAD = 512
local near = {}

-- A part of an area's list: node, and where its bit stands.
local function decode(area, from, to)
  local byte = string.byte -- not to be had while the library is loaded
  local text = redis.call('GETRANGE', 'near:' .. area, from * 2, to * 2 - 1)
  local list = {node = {}, at = {}, mask = {}}
  for at = 1, #text, 2 do
    local high, low = byte(text, at, at + 1)
    local node = high * 256 + low
    local count = #list.node + 1
    list.node[count] = tostring(node) -- as text: a number is printed anew by each call
    list.at[count] = (node - node % 8) / 8 + 1
    list.mask[count] = 2 ^ (7 - node % 8)
  end
  return list
end

local function units(item, node)
  return tonumber(redis.call('HGET', 'h:' .. item, node) or 0)
end

-- The nearest node in list that holds both, or nil.
local function nearest(list, b1, i1, q1, b2, i2, q2)
  local byte, band = string.byte, bit.band
  local ats, masks = list.at, list.mask
  for rank = 1, #ats do
    local at = ats[rank]
    if band(byte(b1, at), byte(b2, at), masks[rank]) ~= 0 then
      local node = list.node[rank]
      if units(i1, node) >= q1 and units(i2, node) >= q2 then
        return node
      end
    end
  end
  return nil
end

-- Over the nearest part first, then over the rest.
local function search(area, b1, i1, q1, b2, i2, q2)
  local list = near[area]
  if not list then
    list = decode(area, 0, HEAD)
    near[area] = list
  end
  local node = nearest(list, b1, i1, q1, b2, i2, q2)
  if not node then
    node = nearest(decode(area, HEAD, 65536), b1, i1, q1, b2, i2, q2)
  end
  return node
end

local function take(item, node, qty)
  if redis.call('HINCRBY', 'h:' .. item, node, -qty) <= 0 then
    redis.call('SETBIT', 'b:' .. item, node, '0')
  end
end

local KNOWN = 17179869184 -- 2^34

local function remember(id, n1, n2)
  local packed = tonumber(n1) * 131072 + tonumber(n2)
  redis.call('SET', 'o:' .. id, packed)
  return packed
end

local function route(keys, args)
  local id, area = args[1], args[2]
  local i1, q1, i2, q2 = args[3], tonumber(args[4]), args[5], tonumber(args[6])
  local old = redis.call('GET', 'o:' .. id)
  if old then
    return tonumber(old) + KNOWN
  end
  local b1 = redis.call('GET', 'b:' .. i1)
  local b2 = redis.call('GET', 'b:' .. i2)
  if not b1 or not b2 then
    return -1
  end
  local n1 = search(area, b1, i1, q1, b2, i2, q2)
  local n2 = n1
  if not n1 then
    n1 = search(area, b1, i1, q1, b1, i1, q1)
    n2 = search(area, b2, i2, q2, b2, i2, q2)
    if not n1 or not n2 then
      return -1
    end
  end
  take(i1, n1, q1)
  take(i2, n2, q2)
  return remember(id, n1, n2)
end

-- The two cells are given: only taken, all or nothing, and remembered.
local function reserve(keys, args)
  local id = args[1]
  local n1, i1, q1 = args[2], args[3], tonumber(args[4])
  local n2, i2, q2 = args[5], args[6], tonumber(args[7])
  local old = redis.call('GET', 'o:' .. id)
  if old then
    return tonumber(old) + KNOWN
  end
  if units(i1, n1) < q1 or units(i2, n2) < q2 then
    return -1
  end
  redis.call('HINCRBY', 'h:' .. i1, n1, -q1)
  redis.call('HINCRBY', 'h:' .. i2, n2, -q2)
  return remember(id, n1, n2)
end

redis.register_function('route', route)
redis.register_function('reserve', reserve)
