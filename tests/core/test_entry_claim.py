import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SubmissionError
from core.tournament import EntryClaim
from tests import builders


def test_a_claim_survives_the_chain():
    assert EntryClaim.parse(builders.claim().payload) == builders.claim()


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "text:https://github.com/a/b",
        "text:https://github.com/a/b@main",
        "text:https://github.com/a/b@" + "a" * 39,
        "text:https://github.com/a/b@" + "A" * 40,
        "sound:https://github.com/a/b@" + "a" * 40,
        "text:https://github.com/a b@" + "a" * 40,
        "text:@" + "a" * 40,
        "text:https://github.com/a/b@" + "a" * 40 + "\n",
    ],
)
def test_anything_else_is_refused_with_the_form(payload):
    """reference §9.1 no. 12: any string was taken as a commit, `main` among them."""
    with pytest.raises(SubmissionError, match="not of the form"):
        EntryClaim.parse(payload)


@given(st.text())
def test_no_text_breaks_the_parser(payload):
    with contextlib.suppress(SubmissionError):
        assert EntryClaim.parse(payload).payload == payload
