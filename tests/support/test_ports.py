"""Ports that tests give to their servers."""

from tests.support.ports import _ports_of, free_port


def test_tests_that_run_side_by_side_are_never_given_the_same_port() -> None:
    handed_out = [set(_ports_of(f"gw{number}")) for number in range(8)]
    assert len(set().union(*handed_out)) == sum(len(ports) for ports in handed_out)


def test_a_port_comes_again_only_after_all_others() -> None:
    """A server that is started later than the next one has drawn still finds its port free."""
    assert len({free_port() for _ in range(500)}) == 500
