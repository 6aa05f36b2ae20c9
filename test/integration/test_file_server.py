"""Files served by a running proxy, to curl and over sockets: ranges, conditions, and nothing outside of the folder."""
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402

LARGE = bytes(range(256)) * 20_000  # 5 MB


class FileServerTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.root = self.scratch.join("www")
        os.makedirs(os.path.join(self.root, "docs"))
        self.write("page.html", b"<p>hello</p>\n")
        self.write("docs/index.html", b"docs\n")
        self.write("large", LARGE)
        self.write("../secret", b"secret\n")
        os.symlink("../secret", os.path.join(self.root, "link"))
        server = {
            "@type": TYPE + "envoy.extensions.filters.http.file_server.v3.FileServerConfig",
            "manager_config": {"thread_pool": {}},
            "path_mappings": [{"request_path_prefix": "/files", "file_path_prefix": self.root}],
            "content_types": {"html": "text/html"},
            "directory_behaviors": [{"default_file": "index.html"}],
        }
        upstream = self.start(HttpUpstream())
        filters = [{"name": "envoy.filters.http.file_server", "typed_config": server}]
        listener = httpListener("http", [route("up")], filters=filters)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", upstream.port)])))
        self.port = self.sluice.port("http")

    def write(self, name, data):
        path = os.path.join(self.root, name)
        with open(path, "wb") as file:
            file.write(data)
        os.utime(path, (784111777, 784111777))

    def test_a_page_and_its_conditions(self):
        page = get(self.port, "/files/page.html")
        self.assertEqual((page.status, page.body), (200, b"<p>hello</p>\n"))
        self.assertEqual(page.header("content-type"), "text/html")
        self.assertEqual(page.header("last-modified"), "Sun, 06 Nov 1994 08:49:37 GMT")
        self.assertEqual(get(self.port, "/files/docs/").body, b"docs\n")
        folder = get(self.port, "/files/docs?x=1")
        self.assertEqual((folder.status, folder.header("location")), (301, "./docs/?x=1"))
        self.assertEqual(curl("-L", f"http://127.0.0.1:{self.port}/files/docs"), (0, b"docs\n"))
        self.assertEqual(get(self.port, "/other").status, 200)

        known = get(self.port, "/files/page.html", [("if-none-match", page.header("etag"))])
        self.assertEqual((known.status, known.body), (304, b""))
        self.assertIsNone(known.header("content-length"))
        head = request(self.port, "HEAD", "/files/page.html")
        self.assertEqual((head.status, head.header("content-length")), (200, "13"))

    def test_a_large_file_whole_and_resumed(self):
        for protocol in ("--http1.1", "--http2-prior-knowledge"):
            out = self.scratch.join("got")
            url = f"http://127.0.0.1:{self.port}/files/large"
            code, _ = curl("-s", protocol, "-o", out, url)
            self.assertEqual(code, 0)
            with open(out, "rb") as file:
                self.assertEqual(file.read(), LARGE)
            os.truncate(out, 1_000_001)
            code, _ = curl("-s", protocol, "-C", "-", "-o", out, url)
            self.assertEqual(code, 0)
            with open(out, "rb") as file:
                self.assertEqual(file.read(), LARGE)

        behind = get(self.port, "/files/large", [("range", f"bytes={len(LARGE)}-")])
        self.assertEqual((behind.status, behind.header("content-range")), (416, f"bytes */{len(LARGE)}"))

    def test_nothing_outside_of_the_folder(self):
        for path in ("/files/../secret", "/files/%2e%2e/secret", "/files/..%2fsecret", "/files/docs/..%2f..%2fsecret",
                     "/files/link", "/files//etc/passwd", "/files/%2fetc/passwd", "/files/page.html%00"):  # fmt: skip
            with self.subTest(path):
                answer = get(self.port, path)
                self.assertNotIn(b"secret", answer.body)
                self.assertNotIn(b"root:", answer.body)
        self.assertEqual(get(self.port, "/files/link").status, 404)
        self.assertEqual(request(self.port, "POST", "/files/page.html").header("allow"), "GET, HEAD")


if __name__ == "__main__":
    unittest.main()
