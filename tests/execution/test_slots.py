from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from policyengine.execution.slots import FairSlots


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def order_of(total: int, *queues: str) -> list[str]:
    """In which order work of these queues begins, each piece ending before the next one can begin."""
    begun: list[str] = []

    async def main() -> None:
        slots = FairSlots(total)

        async def work(queue: str) -> None:
            async with slots.place(queue):
                begun.append(queue)
                await asyncio.sleep(0)

        await asyncio.gather(*(work(queue) for queue in queues))

    asyncio.run(main())
    return begun


def test_a_long_queue_does_not_keep_a_short_one_waiting() -> None:
    begun = order_of(2, *["large"] * 50, "small", "small", "small")

    assert [at for at, queue in enumerate(begun) if queue == "small"][-1] < 12


def test_queues_of_one_length_take_turns() -> None:
    begun = order_of(1, *["a"] * 4, *["b"] * 4, *["c"] * 4)

    assert all(set(begun[at : at + 3]) == {"a", "b", "c"} for at in range(1, 9, 3))


def test_one_queue_alone_gets_every_place() -> None:
    async def main() -> int:
        slots, inside, most = FairSlots(3), 0, 0

        async def work() -> None:
            nonlocal inside, most
            async with slots.place("a"):
                inside += 1
                most = max(most, inside)
                await settle()
                inside -= 1

        await asyncio.gather(*(work() for _ in range(9)))
        return most

    assert asyncio.run(main()) == 3


def test_who_is_cancelled_while_waiting_leaves_the_place_to_others() -> None:
    async def main() -> list[str]:
        slots, begun = FairSlots(1), list[str]()
        gate = asyncio.Event()

        async def work(name: str) -> None:
            async with slots.place(name):
                begun.append(name)
                await gate.wait()

        tasks = {name: asyncio.create_task(work(name)) for name in ("a", "b", "c")}
        await settle()
        tasks["b"].cancel()
        await settle()
        gate.set()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return begun

    assert asyncio.run(main()) == ["a", "c"]


def test_a_place_that_is_left_is_anothers_until_its_owner_is_back() -> None:
    """Who comes back goes before those of its queue that never had a place."""

    async def main() -> list[str]:
        slots, heard = FairSlots(1, most_away=1), list[str]()
        done = asyncio.Event()

        async def patient() -> None:
            async with slots.place("a") as place, place.lent():
                heard.append("away")
                await done.wait()
            heard.append("back")

        async def quick(name: str) -> None:
            async with slots.place("a"):
                heard.append(name)
                done.set()
                await settle()

        await asyncio.gather(patient(), quick("first"), quick("second"))
        return heard

    assert asyncio.run(main()) == ["away", "first", "back", "second"]


def test_a_place_is_kept_where_too_many_are_away() -> None:
    async def main() -> int:
        slots, inside, most = FairSlots(2, most_away=3), 0, 0

        async def work() -> None:
            nonlocal inside, most
            async with slots.place("a") as place:
                place.leave()
                inside += 1
                most = max(most, inside)
                await settle()
                inside -= 1

        await asyncio.gather(*(work() for _ in range(20)))
        return most

    assert asyncio.run(main()) == 5


@given(st.integers(1, 4), st.integers(0, 3), st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30))
def test_places_are_neither_lost_nor_made_up(total: int, most_away: int, work: list[tuple[str, bool]]) -> None:
    """Whoever is cancelled, with a place, without one, away or on the way back."""

    async def main() -> tuple[int, Counter[str]]:
        slots, inside, most = FairSlots(total, most_away), 0, 0
        done: Counter[str] = Counter()

        async def one(queue: str) -> None:
            nonlocal inside, most
            async with slots.place(queue) as place:
                inside += 1
                most = max(most, inside)
                try:
                    await asyncio.sleep(0)
                finally:
                    inside -= 1
                async with place.lent():
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
                done[queue] += 1

        tasks = [(asyncio.create_task(one(queue)), cancelled) for queue, cancelled in work]
        for at, (task, cancelled) in enumerate(tasks):
            if not at % 5:
                await asyncio.sleep(0)
            if cancelled:
                task.cancel()
        await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
        assert slots.away == 0
        # All places are free again: as many as there are can be taken at once.
        async with asyncio.timeout(1):
            async with asyncio.TaskGroup() as group:
                for _ in range(total):
                    group.create_task(one("z"))
        return most, done

    most, done = asyncio.run(main())
    assert most <= total
    assert done["z"] == total
    assert all(done[q] >= sum(1 for queue, cancelled in work if queue == q and not cancelled) for q in "abc")
