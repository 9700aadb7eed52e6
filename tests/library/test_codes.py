import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auricle.library import codes


@given(st.floats(0, 1))
def test_a_code_is_close_to_its_score(score):
    code = codes.encode(np.array([score], np.float32))
    assert abs(codes.decode(code)[0] - score) <= 0.0085


def test_codes_keep_the_order_and_the_ends():
    scores = np.linspace(0, 1, 1001, dtype=np.float32)
    coded = codes.encode(scores)
    assert (np.diff(coded.astype(int)) >= 0).all()
    assert coded[0] == 0
    assert coded[-1] == 255
    assert codes.decode(coded)[0] == 0.0


def test_not_a_number_is_nothing():
    assert codes.encode(np.array([np.nan], np.float32))[0] == 0


@given(st.integers(1, 255))
def test_every_code_survives_a_round_trip(code):
    assert codes.encode(codes.decode(np.array([code], np.uint8)))[0] == code
    assert codes.code_of(float(codes.SCORES[code])) == code
