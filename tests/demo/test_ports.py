"""Ports of demos that start at the same time."""

import socket

from iwdc_console.demo import ports


def test_two_demos_never_share_a_port_though_no_node_listens_yet() -> None:
    with ports.claimed(3) as one, ports.claimed(7) as other:
        assert len({*one, *other}) == 10
        with ports.claimed(3) as third:
            assert not {*third} & {*one, *other}


def test_a_node_can_listen_on_what_is_claimed_for_it_and_nobody_is_given_what_it_listens_on() -> None:
    with ports.claimed(3) as row:
        node = socket.create_server((ports.HOST, row[1]))
    with node, ports.claimed(3) as other:
        assert row[1] not in other
