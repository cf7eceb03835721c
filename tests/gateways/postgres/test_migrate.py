import pytest

pytestmark = pytest.mark.postgres


def test_x(database):
    with database.transaction() as t:
        t.execute("select 1 from chain_weights")


def test_y(database):
    with database.transaction() as t:
        t.execute("select 1 from chain_weights")
