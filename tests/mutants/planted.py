"""
The bugs that are planted: each a mistake that somebody might make, or has made.

A bug is one or more changes of a file of the program; what is to be changed stands in
it exactly once.  `tests` are those that have to catch it, the likeliest first.
"""

from dataclasses import dataclass

# A few of the seeds and crash points of `make test`: enough for each of these.
SEEDS = "tests/test_simulation.py::test_nothing_is_lost_whatever_breaks"
POINTS = "tests/test_crash_points.py::test_nothing_is_lost_wherever_a_process_dies"
PLAYED = (*(f"{SEEDS}[{n}]" for n in (1, 6, 11)), *(f"{POINTS}[{n}]" for n in (0, 50)))


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...] = PLAYED


def _bug(name: str, file: str, right: str, wrong: str, *tests: str) -> Mutant:
    return Mutant(name, ((file, right, wrong),), (*tests, *PLAYED))


SCRIPTS = "monitor/stream/scripts/"

MUTANTS: tuple[Mutant, ...] = (
    # accept
    _bug(
        "no_dedup",
        SCRIPTS + "accept.lua",
        "if #seen > 0 then redis.call('HSET', KEYS[2], unpack(seen)) end",
        "",
    ),
    _bug(
        "maxlen_trim",
        SCRIPTS + "accept.lua",
        "redis.call('XADD', KEYS[1], '*', wire, field)\n",
        "redis.call('XADD', KEYS[1], 'MAXLEN', 5, '*', wire, field)\n",
    ),
    _bug(
        "cursor_outside_the_commit",
        "monitor/stream/commits.py",
        "    total = Accepted()\n",
        "    total = Accepted()\n"
        '    await door.call("HSET", door.key("cursor"), read.source, read.cursor)\n',
    ),
    _bug(
        "seen_outside_the_commit",
        "monitor/stream/commits.py",
        "        answer = await door.run(ACCEPT, keys, arguments)\n",
        "        answer = [0, 0, 0, 0, 0]\n"
        "        for item in some:\n"
        '            key = door.key(f"seen:{read.source}")\n'
        '            if await door.call("HSETNX", key + ":", item.id, "1"):\n'
        "                answer = await door.run(ACCEPT, keys, arguments)\n",
    ),
    _bug(
        "wall_clock_cursor",
        "monitor/pipeline.py",
        "            batch.items,\n",
        "            [i for i in batch.items"
        " if not before.read or i.published > before.read],\n",
    ),
    _bug(
        "edits_unseen",
        "monitor/item.py",
        'seen = f"{item.title}\\x1f{item.text}"',
        "seen = item.title",
    ),
    _bug(
        "deletions_unseen",
        SCRIPTS + "accept.lua",
        "if was_gone == 0 then change = 'deleted' end",
        "",
    ),
    _bug(
        "past_told",
        "monitor/pipeline.py",
        "            baseline=new,\n",
        "            baseline=False,\n",
    ),
    _bug(
        "present_taken_for_past",
        "monitor/pipeline.py",
        "gap, new = gap or batch.gap, False",
        "gap, new = gap or batch.gap, True",
    ),
    # publish and fan out
    _bug(
        "publish_without_acknowledging",
        SCRIPTS + "publish.lua",
        "local fresh = redis.call('XACK', KEYS[1], group, ARGV[at]) == 1",
        "local fresh = redis.call('XACK', KEYS[1], group, ARGV[at]) or true",
    ),
    _bug(
        "acknowledge_before_publishing",
        "monitor/stream/commits.py",
        "        added += await door.run(PUBLISH, keys, arguments)\n",
        "        for entry, _ in portion:\n"
        '            await door.call("XACK", door.key("items"), "filter", entry.id)\n'
        "        added += await door.run(PUBLISH, keys, arguments)\n",
    ),
    _bug(
        "correction_forgets_what_it_corrects",
        SCRIPTS + "publish.lua",
        "local was = not new and redis.call('GET', KEYS[n])",
        "local was = false",
    ),
    _bug(
        "fanout_twice",
        SCRIPTS + "fanout.lua",
        "local fresh = redis.call('XACK', KEYS[1], group, ARGV[at]) == 1",
        "local fresh = redis.call('XACK', KEYS[1], group, ARGV[at]) or true",
    ),
    # settle
    _bug(
        "settled_but_kept",
        SCRIPTS + "settle.lua",
        "  redis.call('XDEL', KEYS[1], unpack(done))\n",
        "",
    ),
    _bug(
        "settled_without_a_record",
        SCRIPTS + "record.lua",
        "  redis.call('XADD', deliveries, '*', wire, delivery)\n",
        "",
    ),
    # reading
    _bug(
        "blind_read_retry",
        "monitor/stream/reader.py",
        "        if not self._sure:\n            self._start_over()\n",
        "",
    ),
    _bug(
        "only_new",
        "monitor/stream/reader.py",
        "entries = await self._left(count) or await self._new(count, block)",
        "entries = await self._new(count, block)",
    ),
    _bug(
        "claim_one_page",
        "monitor/stream/reader.py",
        "        while size == count:\n",
        "        for _ in range(1):\n",
    ),
    _bug(
        "orphans_left",
        "monitor/stream/reader.py",
        "        self._adopting = True\n",
        "        self._adopting = False\n",
    ),
    _bug(
        "group_begins_at_the_end",
        SCRIPTS + "groups.lua",
        "ARGV[n], '0', 'MKSTREAM'",
        "ARGV[n], '$', 'MKSTREAM'",
        "tests/test_stream_reader.py",
    ),
    _bug(
        "poison_never_set_aside",
        SCRIPTS + "adopt.lua",
        "local attempts = pending[4] + tonumber(ARGV[7])",
        "local attempts = pending[4]",
        "tests/test_stream_reader.py",
    ),
    # keeping and trimming
    _bug(
        "trim_what_is_pending",
        SCRIPTS + "trim.lua",
        "  if group.pending > 0 then\n",
        "  if false then\n",
    ),
    _bug(
        "trim_without_the_archive",
        "monitor/stream/upkeep.py",
        "[queue.name, *queue.groups]",
        "[queue.name, *queue.groups[:1]]",
        "tests/test_stream_upkeep.py",
    ),
    _bug(
        "acknowledge_before_archiving",
        "monitor/pipeline.py",
        "    for some in _together(entries):\n        sound = ",
        "    for some in _together(entries):\n"
        "        await stream.ack(some[0].queue, some[0].group, [e.id for e in some])\n"
        "        sound = ",
    ),
    # leases
    _bug(
        "shared_outbox",
        SCRIPTS + "take.lua",
        "if holder and holder ~= ARGV[1] then\n",
        "if false then\n",
    ),
    _bug(
        "begin_at_new_after_a_failure",
        "monitor/stage.py",
        "if anew or not had or lease.lapsed:",
        "if not had or lease.lapsed:",
        "tests/test_stage.py",
    ),
    # delivering
    _bug(
        "sent_without_asking_whose_it_is",
        "monitor/deliver/errand.py",
        "        if strange:\n",
        "        if False:\n",
    ),
    _bug(
        "sent_after_the_lease",
        "monitor/deliver/errand.py",
        "        if not self._lane.held():\n",
        "        if False:\n",
        "tests/test_deliver_doubts.py",
    ),
    _bug(
        "settled_before_it_is_sent",
        "monitor/deliver/errand.py",
        "            repeats = self._repeats(box, opened)\n",
        "            repeats = self._repeats(box, opened)\n"
        "            last = opened.left == 1\n"
        "            await self._stream.settle(opened.entry, [], done=last)\n",
    ),
    _bug(
        "ledger_not_asked",
        "monitor/deliver/errand.py",
        "todo = step(opened.envelope, to.name, begun.told)",
        "todo = step(opened.envelope, to.name, None)",
    ),
    _bug(
        "another_key_each_time",
        "monitor/deliver/errand.py",
        "return message_key(self._stream.epoch, item, name, part)",
        "return message_key(str(self._clock.monotonic()), item, name, part)",
    ),
    _bug(
        "doubts_not_counted",
        "monitor/deliver/errand.py",
        "        box.doubt(some, 1)\n",
        "        box.doubt(some, 0)\n",
        "tests/test_deliver_doubts.py",
    ),
    _bug(
        "retry_after_ignored",
        "monitor/deliver/bearer.py",
        "wait = trouble.wait if asked is None else asked",
        "wait = trouble.wait",
        "tests/test_deliver_trouble.py",
    ),
    _bug(
        "given_up_after_five_tries",
        "monitor/deliver/bearer.py",
        "elif trouble.refusals.hopeless(failure, now, self._took):",
        "elif trouble.wait > FIRST_WAIT * 8:",
    ),
    _bug(
        "put_at_the_end_of_the_queue",
        "monitor/deliver/bearer.py",
        "        self._tell_waiting(box.name, failure, wait)\n",
        "        self._tell_waiting(box.name, failure, wait)\n"
        "        box.news.append(box.news.pop(0)) if box.news else None\n",
    ),
    _bug(
        "waits_forgotten_in_a_restart",
        "monitor/deliver/courier.py",
        "            if sink == self.sink.name:\n",
        "            if False:\n",
        "tests/test_deliver_trouble.py",
    ),
    _bug(
        "told_as_news_however_old",
        "monitor/deliver/courier.py",
        "return self._ages.of(seen, opened.taken) > self._stale_after",
        "return False",
    ),
    _bug(
        "one_queue_for_all",
        "monitor/deliver/slots.py",
        "IN_FLIGHT = 8 ",
        "IN_FLIGHT = 1 ",
        "tests/test_deliver_isolation.py",
    ),
    _bug(
        "what_hangs_keeps_its_place",
        "monitor/deliver/slots.py",
        "SLOW = 0.5 ",
        "SLOW = 500 ",
        "tests/test_deliver_isolation.py",
    ),
    _bug(
        "parked_for_ever",
        "monitor/addresses.py",
        "return self._clock.monotonic() < self._rest.get(name, 0.0)",
        "return True",
        "tests/test_deliver_trouble.py",
    ),
    _bug(
        "longer_by_a_clock_set_back",
        SCRIPTS + "held.lua",
        "tonumber(whole) or math.huge",
        "math.huge",
        "tests/test_stream_upkeep.py",
    ),
    # accounting
    _bug(
        "no_note_of_what_no_rule_wants",
        SCRIPTS + "publish.lua",
        "    redis.call('XADD', KEYS[3], '*', wire, ARGV[at + 1])\n",
        "",
    ),
    _bug(
        "no_note_of_what_is_no_post",
        SCRIPTS + "accept.lua",
        "    redis.call('XADD', KEYS[5], '*', wire, ARGV[at + 2])\n",
        "",
        "tests/test_stream_progress.py",
    ),
    # the line to Redis
    _bug(
        "the_client_retries",
        "monitor/stream/line.py",
        "Retry(NoBackoff(), 0)",
        "Retry(NoBackoff(), 3)",
        "tests/test_stream_lost_reply.py",
    ),
    _bug(
        "commands_sent_twice",
        "monitor/stream/door.py",
        "                return await self._wire.exchange(command)\n",
        "                try:\n"
        "                    return await self._wire.exchange(command)\n"
        "                except exceptions.ConnectionError:\n"
        "                    return await self._wire.exchange(command)\n",
    ),
    _bug(
        "intake_fills_the_memory",
        SCRIPTS + "accept.lua",
        "#!lua\n",
        "#!lua flags=allow-oom\n",
        "tests/test_intake.py",
    ),
    _bug(
        "settle_needs_memory",
        SCRIPTS + "settle.lua",
        "#!lua flags=allow-oom\n",
        "#!lua\n",
        "tests/test_stream_commits.py",
    ),
)
