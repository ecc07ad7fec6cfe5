"""Scope strings (RFC 6749 3.3) and the clusters they name."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.clusters import (
    ACCOUNT_LEVEL,
    CUSTOMER_LEVEL,
    DataCluster,
    format_scope,
    in_order,
    known_clusters,
    parse_scope,
)
from tests.support.builders import BASIC, EVERYTHING

BASIC_AND_TRANSACTIONS = frozenset({DataCluster.ACCOUNT_BASIC, DataCluster.TRANSACTIONS})


def test_there_are_the_eight_clusters_of_the_specification() -> None:
    assert {cluster.value for cluster in DataCluster} == {
        "ACCOUNT_BASIC",
        "ACCOUNT_DETAILED",
        "ACCOUNT_PAYMENTS",
        "INVESTMENTS",
        "STATEMENTS",
        "CUSTOMER_CONTACT",
        "CUSTOMER_PERSONAL",
        "TRANSACTIONS",
    }


def test_a_cluster_is_about_one_account_or_about_the_customer() -> None:
    assert {DataCluster.CUSTOMER_CONTACT, DataCluster.CUSTOMER_PERSONAL} == CUSTOMER_LEVEL
    assert ACCOUNT_LEVEL | CUSTOMER_LEVEL == EVERYTHING
    assert not ACCOUNT_LEVEL & CUSTOMER_LEVEL


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("ACCOUNT_BASIC", BASIC),
        ("ACCOUNT_BASIC TRANSACTIONS", BASIC_AND_TRANSACTIONS),
        ("TRANSACTIONS ACCOUNT_BASIC", BASIC_AND_TRANSACTIONS),
        ("ACCOUNT_BASIC TRANSACTIONS ACCOUNT_BASIC", BASIC_AND_TRANSACTIONS),
        ("  ACCOUNT_BASIC   TRANSACTIONS ", BASIC_AND_TRANSACTIONS),
        ("", frozenset()),
        ("   ", frozenset()),
    ],
)
def test_order_repeats_and_extra_spaces_do_not_matter(text: str, clusters: frozenset[DataCluster]) -> None:
    assert parse_scope(text) == clusters


@pytest.mark.parametrize(
    "text",
    [
        "openid",
        "account_basic",
        "Account_Basic",
        "ACCOUNT_BASIC openid",
        "ACCOUNT_BASIC,TRANSACTIONS",
        "ACCOUNT_BASIC\tTRANSACTIONS",
        "ACCOUNT_BASIC\n",
        "ACCOUNT_BASIC\u00a0TRANSACTIONS",
        "ACCOUNT_BASIC\x00",
        "ＡCCOUNT_BASIC",
        "ACCOUNT_BASI\u0421",
        "\udcff",
    ],
)
def test_a_word_that_is_no_cluster_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a data cluster$"):
        parse_scope(text)


def test_a_form_may_name_whatever_it_likes_and_only_clusters_count() -> None:
    assert known_clusters(["TRANSACTIONS", "openid", "", "transactions", "TRANSACTIONS"]) == {
        DataCluster.TRANSACTIONS
    }


def test_every_list_goes_from_the_least_to_the_most_identifying() -> None:
    assert in_order(EVERYTHING) == list(DataCluster)
    assert in_order(EVERYTHING)[0] is DataCluster.ACCOUNT_BASIC
    assert in_order(EVERYTHING)[-1] is DataCluster.CUSTOMER_PERSONAL
    assert format_scope(BASIC_AND_TRANSACTIONS) == "ACCOUNT_BASIC TRANSACTIONS"


@given(st.frozensets(st.sampled_from(DataCluster)))
def test_a_scope_survives_being_written_and_read(scope: frozenset[DataCluster]) -> None:
    assert parse_scope(format_scope(scope)) == scope


@given(st.lists(st.sampled_from(DataCluster)), st.randoms())
def test_a_scope_is_always_written_in_the_same_way(clusters: list[DataCluster], random: Random) -> None:
    words = [cluster.value for cluster in clusters] * 2
    random.shuffle(words)
    assert format_scope(parse_scope(" ".join(words))) == format_scope(set(clusters))
