"""The process that searches: what happens when it is slow, breaks off, or nobody waits for it any more."""

import asyncio
import os
import signal
import time

import psutil
import pytest

from auricle.serve.limits import Limits
from auricle.serve.schemas import SearchRequest
from auricle.serve.searches import Searches
from tests.serve.conftest import BASE, asking, problem

LOW = {"words": [{"text": "low tone"}]}


def searching(within: psutil.Process | None = None) -> psutil.Process:
    """The process that was begun last."""
    found = [p for p in (within or psutil.Process()).children() if "auricle.serve.searching" in p.cmdline()]
    return max(found, key=psutil.Process.create_time)


def test_a_search_that_takes_too_long_is_given_up(indexed):
    with asking(indexed, limits=Limits(wait=0.3)) as client:
        while client.post(f"{BASE}/search", json=LOW).status_code == 503:  # it is still loading
            time.sleep(0.1)
        os.kill(searching().pid, signal.SIGSTOP)
        assert "too long" in problem(client.post(f"{BASE}/search", json=LOW), 503)
        os.kill(searching().pid, signal.SIGCONT)
        assert client.post(f"{BASE}/search", json=LOW).json()["hits"]


def test_searching_begins_again_after_it_has_broken_off(indexed):
    with asking(indexed) as client:
        before = client.post(f"{BASE}/search", json=LOW).json()["hits"]
        os.kill(searching().pid, signal.SIGKILL)
        answers = [client.post(f"{BASE}/search", json=LOW) for _ in range(2)]
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert answers[-1].json()["hits"] == before


def test_what_is_asked_while_it_breaks_off_is_answered_with_an_error(indexed):
    async def broken() -> None:
        searches = Searches({"library": indexed}, None, 30)
        process = await searches.start()
        asked = [asyncio.create_task(searches(Staying(), "library", SearchRequest(), [])) for _ in range(100)]
        await asyncio.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        errors = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(error).__name__ for error in errors} == {"RefusalError"}
        assert all("broke off" in str(error) or "nothing to look for" in str(error) for error in errors)
        await searches.close()

    asyncio.run(broken())


def test_what_nobody_waits_for_leaves_nothing_behind(indexed):
    async def abandoned() -> None:
        searches = Searches({"library": indexed}, None, 30)
        process = await searches.start()
        process.send_signal(signal.SIGSTOP)
        asked = [asyncio.create_task(searches(Staying(), "library", SearchRequest(), [])) for _ in range(100)]
        await asyncio.sleep(0.1)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        process.send_signal(signal.SIGCONT)
        with pytest.raises(Exception, match="nothing to look for"):
            await searches(Staying(), "library", SearchRequest(), [])
        assert not searches._answers
        await searches.close()

    asyncio.run(abandoned())


def test_it_ends_with_the_server(indexed):
    with asking(indexed) as client:
        client.post(f"{BASE}/search", json=LOW)
        process = searching()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


class Staying:
    """A request whose client does not leave."""

    async def is_disconnected(self) -> bool:
        return False
