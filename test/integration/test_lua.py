"""The HTTP filter lua in a running proxy: headers and bodies changed, calls to a cluster, answers of its own, scripts of routes, and
scripts that fail or do not end."""
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402

NAME = "envoy.filters.http.lua"
LUA = TYPE + "envoy.extensions.filters.http.lua.v3."


def lua(code, **fields):
    source = {"default_source_code": {"inline_string": code}} if code else {}
    return {"name": NAME, "typed_config": {"@type": LUA + "Lua", **source, **fields}}


def perRoute(**fields):
    return {"typed_per_filter_config": {NAME: {"@type": LUA + "LuaPerRoute", **fields}}}


class LuaCase(SluiceTestCase):
    def serve(self, *filters, routes=None, handler=None, clusters=()):
        self.upstream = self.start(HttpUpstream(handler))
        listener = httpListener("http", routes or [route("up")], filters=filters)
        everything = bootstrap([listener], [cluster("up", self.upstream.port), *clusters])
        self.sluice = self.start(Sluice(self.scratch, everything))
        self.port = self.sluice.port("http")

    def ask(self, path="/", *arguments, version="--http1.1"):
        """(status, headers and body as text)"""
        code, out = curl("-i", version, *arguments, f"http://127.0.0.1:{self.port}{path}")
        self.assertEqual(code, 0)
        return int(out.split()[1]), out.decode()


class ScriptTest(LuaCase):
    def test_headers_and_bodies_are_changed_both_ways(self):
        self.serve(
            lua("""
                function envoy_on_request(handle)
                  local body = handle:body()
                  handle:headers():replace("x-size", tostring(body and body:length() or 0))
                  if body then body:setBytes(body:getBytes(0, body:length()):upper()) end
                end
                function envoy_on_response(handle)
                  handle:headers():add("x-by", "script")
                  handle:headers():remove("content-length")
                  for chunk in handle:bodyChunks() do
                    chunk:setBytes("[" .. chunk:getBytes(0, chunk:length()) .. "]")
                  end
                end"""),
            handler=lambda request: Reply(body=b"got " + request.body),
        )

        for version in ("--http1.1", "--http2-prior-knowledge"):
            with self.subTest(version=version):
                status, out = self.ask("/", "-d", "hello", version=version)
                self.assertEqual(status, 200)
                self.assertIn("x-by: script", out)
                self.assertIn("[got HELLO]", out)
                self.assertEqual(self.upstream.next().header("x-size"), "5")

    def test_a_script_asks_a_cluster_and_decides(self):
        def decide(request):
            known = request.header("x-key") == "good"
            return Reply(200 if known else 403, headers=[("x-user", "ann")], body=b"why")

        auth = self.start(HttpUpstream(decide))
        self.serve(
            lua("""
                function envoy_on_request(handle)
                  local key = handle:headers():get("x-key") or ""
                  local headers, body = handle:httpCall("auth", {[":method"] = "GET", [":path"] = "/check",
                    [":authority"] = "auth", ["x-key"] = key}, nil, 5000)
                  if headers[":status"] ~= "200" then
                    handle:respond({[":status"] = "401", ["x-because"] = headers[":status"]}, body)
                  end
                  handle:headers():replace("x-user", headers["x-user"])
                end"""),
            clusters=[cluster("auth", auth.port)],
        )

        self.assertEqual(self.ask("/", "-H", "x-key: good")[0], 200)
        self.assertEqual(self.upstream.next().header("x-user"), "ann")
        status, out = self.ask("/", "-H", "x-key: bad", "-H", "x-user: forged")
        self.assertEqual(status, 401)
        self.assertIn("x-because: 403", out)
        auth.stop()
        status, out = self.ask("/", "-H", "x-key: good")
        self.assertEqual(status, 401)
        self.assertIn("x-because: 503", out)
        self.assertTrue(self.upstream.requests.empty())

    def test_a_changed_head_is_routed_anew(self):
        other = self.start(HttpUpstream())
        self.serve(
            lua('function envoy_on_request(handle) handle:headers():replace(":path", "/other/x") end'),
            routes=[route("other", prefix="/other"), route("up")],
            clusters=[cluster("other", other.port)],
        )

        self.assertEqual(self.ask("/")[0], 200)
        self.assertEqual(other.next().path, "/other/x")

    def test_a_made_body_and_a_head_changed_behind_one_are_routed_anew(self):
        other = self.start(HttpUpstream())
        self.serve(
            lua("""
                function envoy_on_request(handle)
                  local body = handle:body(true)
                  handle:httpCall("up", {[":method"] = "GET", [":path"] = "/asked", [":authority"] = "up"}, nil, 5000)
                  handle:headers():replace(":path", "/other/x")
                  body:setBytes("made of " .. body:length())
                end"""),
            routes=[route("other", prefix="/other"), route("up")],
            clusters=[cluster("other", other.port)],
        )

        for arguments, made in (((), b"made of 0"), (("-d", "hello"), b"made of 5")):
            with self.subTest(made=made):
                self.assertEqual(self.ask("/", *arguments)[0], 200)
                request = other.next()
                self.assertEqual((request.path, request.body), ("/other/x", made))
                self.assertEqual(request.header("content-length"), str(len(made)))

    def test_routes_have_scripts_of_their_own(self):
        code = 'function envoy_on_request(h) h:headers():add("x-plan", h:filterContext():get("plan")) end'
        own = {"source_code": {"filename": self.scratch.write("own.lua", code)}, "filter_context": {"plan": "gold"}}
        self.serve(
            lua(
                'function envoy_on_request(h) h:headers():add("x-plan", "default") end',
                source_codes={"named": {"inline_string": 'function envoy_on_request(h) h:headers():add("x-plan", "named") end'}},
            ),
            routes=[
                {**route("up", prefix="/own"), **perRoute(**own)},
                {**route("up", prefix="/named"), **perRoute(name="named")},
                {**route("up", prefix="/off"), **perRoute(disabled=True)},
                route("up"),
            ],
        )

        for path, plan in (("/own", "gold"), ("/named", "named"), ("/off", None), ("/", "default")):
            with self.subTest(path=path):
                self.assertEqual(self.ask(path)[0], 200)
                self.assertEqual(self.upstream.next().header("x-plan"), plan)


class FailureTest(LuaCase):
    def test_scripts_that_fail_cost_their_own_request_only(self):
        self.serve(
            lua("""
                function envoy_on_request(handle)
                  local what = handle:headers():get(":path")
                  if what == "/error" then error("on purpose") end
                  if what == "/loop" then while true do pcall(function() while true do end end) end end
                  if what == "/pattern" then ("a"):rep(50000):match("^.-.-.-x") end
                  if what == "/nested" then local function f() return (("x"):gsub("x", f)) end f() end
                  if what == "/memory" then local t = {} while true do t[#t + 1] = ("x"):rep(100000) .. #t end end
                  if what == "/header" then handle:headers():add("x-split", "a\\r\\nb: c") end
                end""")
        )

        for path in ("/error", "/loop", "/pattern", "/nested", "/memory", "/header"):
            with self.subTest(path=path):
                self.assertEqual(self.ask(path)[0], 500)
                self.assertEqual(self.ask("/well")[0], 200)
        self.assertEqual(self.sluice.stats("http.http.lua.")["http.http.lua.errors"], 6)
        self.assertIn("on purpose", self.sluice.log())

    def test_with_envoys_defaults_a_failed_script_lets_the_request_go_on(self):
        self.upstream = self.start(HttpUpstream())
        listener = httpListener("http", [route("up")], filters=[lua('function envoy_on_request(h) error("x") end')])
        everything = bootstrap([listener], [cluster("up", self.upstream.port)])
        self.sluice = self.start(Sluice(self.scratch, everything, args=("--defaults=envoy",)))
        self.port = self.sluice.port("http")

        self.assertEqual(self.ask()[0], 200)


if __name__ == "__main__":
    unittest.main()
