#!/usr/bin/python3
"""Small databases of the MaxMind DB format, version 2.0.

    database({"192.0.2.0/24": {"country": {"iso_code": "AQ"}}})

Numbers of records are uint32. `test/support/harness/mmdb.py` by itself writes the testdata of the maxmind provider anew.
"""
import ipaddress
import os

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
METADATA_MARKER = b"\xab\xcd\xefMaxMind.com"
STRING, UINT16, UINT32, MAP, UINT64, ARRAY, BOOLEAN = 2, 5, 6, 7, 9, 11, 14


def head(kind, size):
    """The control bytes of a value, whose size may be up to 284."""
    extended = bytes([kind - 7]) if kind > 7 else b""
    short, longer = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return bytes([(0 if extended else kind) << 5 | short]) + extended + longer


def number(kind, value):
    content = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return head(kind, len(content)) + content


def encoded(value):
    if isinstance(value, bool):
        return head(BOOLEAN, int(value))
    if isinstance(value, int):
        return number(UINT32, value)
    if isinstance(value, tuple):  # (kind, number)
        return number(*value)
    if isinstance(value, str):
        content = value.encode()
        return head(STRING, len(content)) + content
    if isinstance(value, list):
        return head(ARRAY, len(value)) + b"".join(map(encoded, value))
    return head(MAP, len(value)) + b"".join(encoded(key) + encoded(item) for key, item in value.items())


class Tree:
    """Nodes are pairs of places: None, the number of a node, or the record of a network, ("data", offset)."""

    def __init__(self, ip_version):
        self.ip_version = ip_version
        self.nodes = [[None, None]]

    def insert(self, network, offset):
        bits = 32 if self.ip_version == 4 else 128
        start = int(network.network_address)
        length = network.prefixlen + bits - network.max_prefixlen  # IPv4 stands in ::/96
        at = 0
        for depth in range(length):
            side = start >> (bits - 1 - depth) & 1
            if depth == length - 1:
                self.nodes[at][side] = ("data", offset)
                return
            below = self.nodes[at][side]
            if not isinstance(below, int):  # what is in a larger network is in its parts
                self.nodes.append([below, below])
                below = self.nodes[at][side] = len(self.nodes) - 1
            at = below

    def encoded(self):
        count = len(self.nodes)

        def record(place):
            value = count if place is None else place if isinstance(place, int) else count + 16 + place[1]
            return value.to_bytes(3, "big")

        return b"".join(record(left) + record(right) for left, right in self.nodes)


def database(networks, ip_version=6, build_epoch=1_700_000_000):
    """The bytes of one. An address has the record of the smallest network that it is in, and no other."""
    tree, data = Tree(ip_version), b""
    parsed = sorted(((ipaddress.ip_network(text), record) for text, record in networks.items()), key=lambda pair: pair[0].prefixlen)
    for network, record in parsed:
        tree.insert(network, len(data))
        data += encoded(record)
    metadata = {
        "binary_format_major_version": (UINT16, 2),
        "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, build_epoch),
        "database_type": "Sluice-Made-Up",
        "description": {"en": "made up for tests"},
        "ip_version": (UINT16, ip_version),
        "languages": ["en"],
        "node_count": len(tree.nodes),
        "record_size": (UINT16, 24),
    }
    return tree.encoded() + bytes(16) + data + METADATA_MARKER + encoded(metadata)


MADE_UP = {
    "192.0.2.0/24": {
        "country": {"iso_code": "AQ"},
        "city": {"names": {"de": "Eisstadt", "en": "Ice Town"}},
        "subdivisions": [{"iso_code": "SP"}, {"iso_code": "XX"}],
        "autonomous_system_number": 64496,
        "autonomous_system_organization": "Example Networks",
        "isp": "Example Access",
        "is_anonymous": True,
        "is_anonymous_vpn": True,
        "is_hosting_provider": False,
    },
    "192.0.2.128/25": {"country": {"iso_code": "BV"}, "isp": "iCloud Private Relay", "is_tor_exit_node": True},
    "198.51.100.0/24": {
        "country": {"iso_code": ["AA"]},
        "city": {"names": {"en": "Two\r\nLines"}},
        "autonomous_system_number": 0,
        "isp": "",
    },
    "203.0.113.0/24": {"continent": {"code": "AN"}},
    "2001:db8::/32": {"country": {"iso_code": "HM"}, "is_public_proxy": True},
}

TESTDATA_FOLDER = os.path.join(TOP, "source/extensions/geoip_providers/maxmind/testdata")
TESTDATA = {
    "made_up.mmdb": database(MADE_UP),
    "ipv4.mmdb": database({"192.0.2.0/24": {"country": {"iso_code": "IO"}}}, ip_version=4, build_epoch=1_800_000_000),
}

if __name__ == "__main__":
    for name, content in TESTDATA.items():
        with open(os.path.join(TESTDATA_FOLDER, name), "wb") as file:
            file.write(content)
