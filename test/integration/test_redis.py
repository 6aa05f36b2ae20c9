"""redis_proxy in front of Debian's redis-server, alone, several by hash, and as a Redis Cluster."""
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE, socketAddress  # noqa: E402
from harness.redis import RedisClient, RedisError, RedisServer, encode, makeCluster  # noqa: E402

REDIS = TYPE + "envoy.extensions.filters.network.redis_proxy.v3."


def redisListener(name="redis", settings=None, routes=None, **more):
    config = {
        "@type": REDIS + "RedisProxy",
        "stat_prefix": "r",
        "settings": {"op_timeout": "2s", **(settings or {})},
        "prefix_routes": routes or {"catch_all_route": {"cluster": "cache"}},
        **more,
    }
    chain = {"filters": [{"name": "envoy.filters.network.redis_proxy", "typed_config": config}]}
    return {"name": name, "address": socketAddress(0), "filter_chains": [chain]}


class RedisTestCase(SluiceTestCase):
    def server(self, *args, **more):
        return self.start(RedisServer(self.scratch, *args, **more))

    def proxy(self, clusters, **listener):
        self.sluice = self.start(Sluice(self.scratch, bootstrap([redisListener(**listener)], clusters)))
        return self.sluice

    def client(self):
        client = RedisClient(self.sluice.port("redis"))
        self.addCleanup(client.close)
        return client


class OneServer(RedisTestCase):
    def setUp(self):
        super().setUp()
        self.redis = self.server()

    def test_commands_and_pipelines_are_answered_in_order(self):
        self.proxy([cluster("cache", self.redis.port)])
        client = self.client()
        self.assertEqual(client.ask("SET", "a", b"x\r\ny"), b"OK")
        self.assertEqual(client.ask("GET", "a"), b"x\r\ny")
        self.assertEqual(client.ask("LPUSH", "list", "1", "2"), 2)
        self.assertEqual(client.ask("LRANGE", "list", "0", "-1"), [b"2", b"1"])
        self.assertIn("WRONGTYPE", client.ask("INCR", "list"))
        client.raw(b"".join(encode("INCR", "n") for _ in range(5000)))
        self.assertEqual([client.answer() for _ in range(5000)], list(range(1, 5001)))

    def test_what_the_proxy_answers_itself_is_answered_to_the_last(self):
        self.proxy([cluster("cache", self.redis.port)])
        client = self.client()
        words = [f"word-{i:08}" for i in range(5000)]
        client.raw(b"".join(encode("ECHO", word) for word in words))
        self.assertEqual([client.answer() for _ in words], [word.encode() for word in words])

    def test_no_script_ends_or_changes_the_connection_of_others(self):
        self.proxy([cluster("cache", self.redis.port)])
        one, two = self.client(), self.client()
        deep = "local t = {1} for i = 1, 20 do t = {t} end return t"
        answer = one.ask("EVAL", deep, "1", "a")
        for _ in range(20):
            answer = answer[0]
        self.assertEqual(answer, [1])
        long = one.ask("EVAL", "return redis.status_reply(string.rep('x', 200000))", "1", "a")
        self.assertEqual(long, b"x" * 200000)
        self.assertIn("not supported", one.ask("SCRIPT", "DEBUG", "SYNC"))
        digest = one.ask("SCRIPT", "LOAD", "return 7")
        self.assertEqual(two.ask("EVALSHA", digest, "1", "a"), 7)
        self.assertEqual(self.sluice.stat("cluster.cache.upstream_cx_total"), 1)
        self.assertEqual(self.sluice.stat("cluster.cache.upstream_cx_protocol_error"), 0)

    def test_large_lists_go_through(self):
        self.proxy([cluster("cache", self.redis.port)], settings={"op_timeout": "30s"})
        client = self.client()
        fill = "for i = 1, 1100 do local t = {} for j = 1, 1000 do t[j] = '' end redis.call('RPUSH', KEYS[1], unpack(t)) end return 1"
        self.assertEqual(client.ask("EVAL", fill, "1", "list"), 1)
        client.send("LRANGE", "list", "0", "-1")
        self.assertEqual(client.file.readline(), b"*1100000\r\n")
        self.assertEqual(len(client.file.read(1100000 * 6)), 1100000 * 6)
        self.assertEqual(client.ask("ECHO", "x"), b"x")

    def test_large_values_go_both_ways(self):
        self.proxy([cluster("cache", self.redis.port)])
        client = self.client()
        value = os.urandom(8 << 20)
        self.assertEqual(client.ask("SET", "large", value), b"OK")
        self.assertEqual(client.ask("GET", "large"), value)

    def test_transactions(self):
        self.proxy([cluster("cache", self.redis.port)])
        one, two = self.client(), self.client()
        self.assertEqual(one.ask("WATCH", "a"), b"OK")
        self.assertEqual(two.ask("SET", "a", "2"), b"OK")
        self.assertEqual(one.ask("MULTI"), b"OK")
        self.assertEqual(one.ask("SET", "a", "1"), b"QUEUED")
        self.assertIsNone(one.ask("EXEC"))
        self.assertEqual(one.ask("MULTI"), b"OK")
        self.assertEqual(one.ask("INCR", "a"), b"QUEUED")
        self.assertEqual(one.ask("EXEC"), [3])

    def test_every_key_of_a_transaction_loses_its_prefix(self):
        route = {"prefix": "p:", "remove_prefix": True, "cluster": "cache"}
        self.proxy([cluster("cache", self.redis.port)], routes={"routes": [route]})
        client = self.client()
        client.raw(encode("MULTI") + encode("MSET", "p:a", "1", "p:b", "2") + encode("MGET", "p:a", "p:b") + encode("EXEC"))
        self.assertEqual([client.answer() for _ in range(4)], [b"OK", b"QUEUED", b"QUEUED", [b"OK", [b"1", b"2"]]])
        self.assertEqual(sorted(self.redis.ask("KEYS", "*")), [b"a", b"b"])

    def test_a_server_that_goes_fails_its_commands_and_comes_back(self):
        self.proxy([cluster("cache", self.redis.port)])
        client = self.client()
        self.assertEqual(client.ask("SET", "a", "1"), b"OK")
        self.redis.stop()
        self.assertIsInstance(client.ask("GET", "a"), RedisError)
        self.server(port=self.redis.port)
        waitFor(lambda: client.ask("SET", "a", "2") == b"OK", "the server to be used again")
        self.assertEqual(client.ask("GET", "a"), b"2")

    def test_a_server_that_hangs_fails_its_commands_in_time(self):
        self.proxy([cluster("cache", self.redis.port)], settings={"op_timeout": "0.5s"})
        client = self.client()
        self.assertEqual(client.ask("SET", "a", "1"), b"OK")
        self.redis.ask("CLIENT", "PAUSE", "3000")
        self.assertEqual(client.ask("GET", "a"), "upstream failure")
        self.assertEqual(self.sluice.stat("cluster.cache.upstream_rq_timeout"), 1)

    def test_passwords_on_both_sides(self):
        secured = self.server("--requirepass", "inner")
        options = {"@type": REDIS + "RedisProtocolOptions", "auth_password": {"inline_string": "inner"}}
        self.proxy(
            [
                cluster(
                    "cache",
                    secured.port,
                    typed_extension_protocol_options={"envoy.filters.network.redis_proxy": options},
                )
            ],
            downstream_auth_passwords=[{"inline_string": "outer"}],
        )
        client = self.client()
        self.assertIn("NOAUTH", client.ask("GET", "a"))
        self.assertEqual(client.ask("AUTH", "outer"), b"OK")
        self.assertEqual(client.ask("SET", "a", "1"), b"OK")
        self.assertEqual(client.ask("GET", "a"), b"1")

    def test_what_is_no_redis_is_told_so_and_closed(self):
        self.proxy([cluster("cache", self.redis.port)])
        client = self.client()
        client.raw(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(client.answer(), "downstream protocol error")
        with self.assertRaises(EOFError):
            client.answer()
        self.assertEqual(self.sluice.stat("redis.r.downstream_cx_protocol_error"), 1)


class Checks(RedisTestCase):
    def test_hosts_are_checked_as_those_of_redis(self):
        good, bad = self.server(), self.server()
        bad.ask("SET", "maintenance", "1")
        check = {
            "timeout": "1s",
            "interval": "0.2s",
            "healthy_threshold": 1,
            "unhealthy_threshold": 1,
            "no_traffic_interval": "0.2s",
            "custom_health_check": {
                "name": "envoy.health_checkers.redis",
                "typed_config": {
                    "@type": TYPE + "envoy.extensions.health_checkers.redis.v3.Redis",
                    "key": "maintenance",
                },
            },
        }
        no_panic = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}}}
        self.proxy([cluster("cache", good.port, bad.port, lb_policy="MAGLEV", health_checks=[check], **no_panic)])
        self.assertEqual(self.sluice.stat("cluster.cache.membership_healthy"), 1)
        client = self.client()
        for i in range(20):
            self.assertEqual(client.ask("SET", f"key-{i}", i), b"OK")
        self.assertEqual(good.ask("DBSIZE"), 20)
        bad.ask("DEL", "maintenance")
        waitFor(lambda: self.sluice.stat("cluster.cache.membership_healthy") == 2, "both hosts to be well")


class SeveralServers(RedisTestCase):
    def test_keys_are_spread_and_commands_with_several_keys_are_split(self):
        servers = [self.server() for _ in range(3)]
        targets = [server.port for server in servers]
        self.proxy([cluster("cache", *targets, lb_policy="MAGLEV")])
        client = self.client()
        keys = [f"key-{i}" for i in range(60)]
        self.assertEqual(client.ask("MSET", *[word for key in keys for word in (key, key)]), b"OK")
        self.assertEqual(client.ask("MGET", *keys, "none"), [key.encode() for key in keys] + [None])
        sizes = [server.ask("DBSIZE") for server in servers]
        self.assertEqual(sum(sizes), 60)
        self.assertTrue(all(size > 0 for size in sizes), sizes)
        self.assertEqual(client.ask("EXISTS", *keys), 60)
        self.assertEqual(client.ask("DEL", *keys[:30]), 30)
        self.assertEqual(len(client.ask("KEYS", "*")), 30)
        self.assertEqual(client.ask("FLUSHALL"), b"OK")
        self.assertEqual([server.ask("DBSIZE") for server in servers], [0, 0, 0])

    def test_prefixes_and_mirrors(self):
        main, other, mirror = self.server(), self.server(), self.server()
        routes = {
            "routes": [{"prefix": "o:", "remove_prefix": True, "cluster": "other"}],
            "catch_all_route": {
                "cluster": "cache",
                "request_mirror_policy": [{"cluster": "mirror", "exclude_read_commands": True}],
            },
        }
        names = (("cache", main), ("other", other), ("mirror", mirror))
        self.proxy([cluster(name, server.port) for name, server in names], routes=routes)
        client = self.client()
        self.assertEqual(client.ask("SET", "o:a", "1"), b"OK")
        self.assertEqual(other.ask("GET", "a"), b"1")
        self.assertEqual(client.ask("SET", "b", "2"), b"OK")
        waitFor(lambda: mirror.ask("GET", "b") == b"2", "the mirror to have the key")
        self.assertEqual(main.ask("DBSIZE"), 1)


CLUSTER_TYPE = {
    "name": "envoy.clusters.redis",
    "typed_config": {
        "@type": TYPE + "envoy.extensions.clusters.redis.v3.RedisClusterConfig",
        "cluster_refresh_rate": "1s",
        "redirect_refresh_interval": "0.2s",
        "redirect_refresh_threshold": 1,
    },
}


class RedisClusters(RedisTestCase):
    def nodes(self, count, replicas=0):
        servers = [self.server("--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in range(count)]
        makeCluster(servers, replicas)
        return servers

    def proxyOf(self, servers, **settings):
        made = cluster("cache", servers[0].port, lb_policy="CLUSTER_PROVIDED", cluster_type=CLUSTER_TYPE)
        del made["type"]
        return self.proxy([made], settings={"enable_redirection": True, **settings})

    def test_keys_go_to_the_nodes_that_have_their_slots(self):
        servers = self.nodes(3)
        self.proxyOf(servers)
        client = self.client()
        for i in range(60):
            self.assertEqual(client.ask("SET", f"key-{i}", i), b"OK")
        sizes = [server.ask("DBSIZE") for server in servers]
        self.assertEqual(sum(sizes), 60)
        self.assertTrue(all(size > 0 for size in sizes), sizes)
        self.assertEqual(client.ask("MGET", "key-1", "key-2", "key-3"), [b"1", b"2", b"3"])
        self.assertEqual(client.ask("MULTI"), b"OK")
        self.assertEqual(client.ask("INCR", "{a}1"), b"QUEUED")
        self.assertEqual(client.ask("INCR", "{a}2"), b"QUEUED")
        self.assertEqual(client.ask("EXEC"), [1, 1])
        self.assertEqual(self.sluice.stat("cluster.cache.upstream_internal_redirect_succeeded_total"), 0)

    def test_a_slot_that_moves_is_followed(self):
        servers = self.nodes(2)
        self.proxyOf(servers)
        client = self.client()
        self.assertEqual(client.ask("SET", "foo", "1"), b"OK")  # slot 12182, of the second
        source, target = servers[1], servers[0]
        target.ask("CLUSTER", "SETSLOT", 12182, "IMPORTING", source.ask("CLUSTER", "MYID"))
        source.ask("CLUSTER", "SETSLOT", 12182, "MIGRATING", target.ask("CLUSTER", "MYID"))
        self.assertEqual(source.ask("MIGRATE", "127.0.0.1", target.port, "foo", 0, 1000), b"OK")
        self.assertEqual(client.ask("GET", "foo"), b"1")  # by ASK
        for server in servers:
            server.ask("CLUSTER", "SETSLOT", 12182, "NODE", target.ask("CLUSTER", "MYID"))
        self.assertEqual(client.ask("GET", "foo"), b"1")  # by MOVED, or straight

        def straight():
            before = self.sluice.stat("cluster.cache.upstream_internal_redirect_succeeded_total")
            self.assertEqual(client.ask("GET", "foo"), b"1")
            return self.sluice.stat("cluster.cache.upstream_internal_redirect_succeeded_total") == before

        waitFor(straight, "the new map of slots", 15)

    def test_reads_go_to_replicas_where_they_may(self):
        servers = self.nodes(2, replicas=1)
        primary, replica = servers
        self.proxyOf(servers, read_policy="REPLICA")
        client = self.client()
        self.assertEqual(client.ask("SET", "a", "1"), b"OK")
        waitFor(lambda: client.ask("GET", "a") == b"1", "the replica to have the key")
        self.assertIn(b"cmdstat_get", replica.ask("INFO", "commandstats"))
        self.assertNotIn(b"cmdstat_get", primary.ask("INFO", "commandstats"))

    def test_a_replica_that_takes_over_is_used(self):
        servers = self.nodes(4, replicas=1)
        self.proxyOf(servers)
        client = self.client()
        keys = [f"key-{i}" for i in range(30)]
        for key in keys:
            self.assertEqual(client.ask("SET", key, "1"), b"OK")
        follower = servers[3]
        waitFor(lambda: b"master_link_status:up" in follower.ask("INFO", "replication"), "the replica to follow", 20)
        servers[0].stop()
        waitFor(lambda: all(client.ask("SET", key, "2") == b"OK" for key in keys), "the replica to take over", 60)


if __name__ == "__main__":
    unittest.main()
