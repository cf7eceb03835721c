"""The planted errors can still be planted, and a share of them, another each day, is caught."""

from collections import Counter
from datetime import date

import pytest

from tests.mutations.catalogue import MUTATIONS
from tests.mutations.running import HOUSE, run_all

DAYS = 14
"""The whole catalogue comes round in so many."""


def test_every_planted_error_still_has_its_place():
    texts = {mutation.file: (HOUSE / mutation.file).read_text() for mutation in MUTATIONS}
    rotten = [mutation for mutation in MUTATIONS if texts[mutation.file].count(mutation.old) != 1]
    assert rotten == []


def test_every_planted_error_is_one_and_has_tests_that_should_catch_it():
    assert all(mutation.new != mutation.old and mutation.tests for mutation in MUTATIONS)
    assert [test for mutation in MUTATIONS for test in mutation.tests if not (HOUSE / test).exists()] == []


def test_no_error_is_planted_twice():
    errors = Counter((mutation.file, mutation.old, mutation.new) for mutation in MUTATIONS)
    assert [error for error, count in errors.items() if count > 1] == []


@pytest.mark.slow
def test_todays_errors_are_caught():
    todays = MUTATIONS[date.today().toordinal() % DAYS :: DAYS]
    survivors = [f"{v.mutation.file}: {v.mutation.name}: {v.how}" for v in run_all(todays) if not v.is_caught]
    assert survivors == []
