import threading
import time

import pytest

from auricle.library.joint import Joint


def test_each_gets_its_own_answers_in_order():
    joint = Joint(lambda items: [2 * item for item in items], 3)
    assert joint([5, 1, 4, 2]) == [10, 2, 8, 4]
    assert joint([]) == []


def test_what_comes_in_meanwhile_is_done_at_once():
    batches, first = [], threading.Event()

    def work(items):
        batches.append(list(items))
        first.set()
        deadline = time.monotonic() + 10
        while len(batches) == 1 and len(joint._waiting) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        return [-item for item in items]

    joint, answers = Joint(work, 16), {}
    threads = [threading.Thread(target=lambda i=i: answers.update({i: joint([i])})) for i in range(5)]
    threads[0].start()
    first.wait(10)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == {i: [-i] for i in range(5)}
    assert [len(batch) for batch in batches] == [1, 4]


def test_an_error_reaches_whoever_asked_and_no_later_one():
    def work(items):
        if 0 in items:
            raise ZeroDivisionError
        return items

    joint = Joint(work, 4)
    with pytest.raises(ZeroDivisionError):
        joint([0, 1])
    assert joint([3]) == [3]
