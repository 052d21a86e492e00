-- Part of `settle`: writes what became of a match for one subscriber into
-- the ledger and onto `deliveries`, unless that is known already or out of date.
--
-- A field of the ledger: newest version (4 bytes), its rank (1), rank of the delivery
-- that follows (1), the delivery.  The delivery is the newest one that reached the
-- subscriber, for its message can be edited; only if none did, the newest of any kind.
local REACHED = 2  -- ranks: 0 suppressed, 1 dead, 2 delivered or edited
local function record(ledger, deliveries, keep, wire, subscriber, version, rank, delivery)
  version, rank = tonumber(version), tonumber(rank)
  local old = redis.call('HGET', ledger, subscriber)
  local shown = delivery
  local shown_rank = rank
  if old then
    local old_version, old_rank, old_shown_rank = struct.unpack('>I4BB', old)
    local newer = version > old_version or (version == old_version and rank > old_rank)
    local first = rank == REACHED and old_shown_rank < REACHED
    if not newer and not first then return 0 end
    if not newer then version, rank = old_version, old_rank end
    if shown_rank < REACHED and old_shown_rank == REACHED then
      shown, shown_rank = string.sub(old, 7), old_shown_rank
    end
  end
  redis.call('XADD', deliveries, '*', wire, delivery)
  redis.call('HSET', ledger, subscriber,
    struct.pack('>I4BB', version, rank, shown_rank) .. shown)
  redis.call('EXPIRE', ledger, keep)
  return 1
end
