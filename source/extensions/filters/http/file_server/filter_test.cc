#include "source/extensions/filters/http/file_server/filter.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "envoy/extensions/filters/http/file_server/v3/file_server.pb.h"
#include "source/extensions/filters/http/file_server/factory.h"
#include "source/extensions/filters/http/file_server/file_body.h"
#include "source/extensions/filters/http/file_server/listing.h"
#include "source/worker/test_worker.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::file_server {
namespace {

using Proto = envoy::extensions::filters::http::file_server::v3::FileServerConfig;
using filter::testing::Fields;
using filter::testing::Harness;
using std::chrono::seconds;

constexpr time_t kModified = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT

// A folder of its own for each test, below one in which a secret lies.
struct Folder {
  Folder() {
    std::filesystem::create_directory(root);
    write("../secret", "secret");
  }

  std::string path(const std::string& name) const { return root + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    above.write("root/" + name, text);
    const timespec times[2] = {{kModified, 0}, {kModified, 0}};
    REQUIRE(utimensat(AT_FDCWD, path(name).c_str(), times, 0) == 0);
  }
  void link(const std::string& to, const std::string& name) const {
    REQUIRE(symlink(to.c_str(), path(name).c_str()) == 0);
  }

  const test::ScratchFolder above;
  const std::string root = above / "root";
};

std::string contentOf(const Opened& opened) {
  char text[64];
  const ssize_t got = pread(opened.fd.get(), text, sizeof(text), 0);
  return got < 0 ? "?" : std::string(text, static_cast<size_t>(got));
}

struct World : filter::testing::FilterWorld<Proto> {
  World() : FilterWorld(registerFactory) {}

  static std::string whole(const std::string& fields) { return "{manager_config: {thread_pool: {}}, " + fields + "}"; }
  auto compile(const std::string& fields) { return FilterWorld::compile(whole(fields)); }
  auto compileRoute(const std::string& fields) { return FilterWorld::compileRoute(whole(fields)); }
};

// A server of the folder at "/files".
struct Server {
  explicit Server(const Folder& folder, const std::string& more = "") {
    const std::string mapping = "{request_path_prefix: /files, file_path_prefix: '" + folder.root + "'}";
    factory = world.compile("path_mappings: [" + mapping + "]" + more);
    INFO(world.problems());
    REQUIRE(factory);
  }

  Harness& ask(const std::string& path, const Fields& fields = {}, std::string_view method = "GET") {
    asked.push_back(std::make_unique<Harness>(std::vector{factory}));
    Harness& h = *asked.back();
    h.stream.info().start_time = std::chrono::system_clock::time_point(seconds(kModified + 100));
    h.stream.request().path = h.stream.arena().copy(path);
    h.request(method, fields, true);
    return h;
  }

  World world;
  std::shared_ptr<const filter::HttpFilterFactory> factory;
  std::vector<std::unique_ptr<Harness>> asked;
};

std::string field(const Harness& h, const std::string& name) {
  for (const auto& [key, value] : h.client.headers) {
    if (key == name) return value;
  }
  return "-";
}

std::string_view details(Harness& h) {
  return h.stream.info().response_code_details;
}

// --- the tree ---

TEST_CASE("files and folders below the root open, however links are met") {
  const Folder folder;
  folder.write("a", "1");
  folder.write("b/c/d", "2");
  const Links links = GENERATE(Links::kInside, Links::kNone);
  CHECK(contentOf(openBelow(folder.root, "a", links)) == "1");
  CHECK(contentOf(openBelow(folder.root, "b/c/d", links)) == "2");
  CHECK(openBelow(folder.root, "b/c", links).isFolder());
  CHECK(openBelow(folder.root, "", links).isFolder());
  CHECK(openBelow(folder.path("a"), "", links).isFile());
  CHECK(openBelow(folder.root, "x", links).error == ENOENT);
  CHECK(openBelow(folder.root, "b/x/d", links).error == ENOENT);
  CHECK(openBelow(folder.root, "a/x", links).error == ENOTDIR);
  CHECK(openBelow(folder.path("none"), "a", links).error == ENOENT);
}

TEST_CASE("nothing above the root opens: not by name, not by links") {
  const Folder folder;
  folder.write("b/c", "1");
  folder.link("../secret", "up");
  folder.link(folder.above / "secret", "absolute");
  folder.link(folder.path("b/c"), "absolute_inside");
  folder.link("..", "b/folder");
  folder.link("../..", "above");
  folder.link("/proc/self/root/etc/passwd", "magic");
  const Links links = GENERATE(Links::kInside, Links::kNone);
  for (const char* name : {"../secret", "b/../../secret", "up", "absolute", "absolute_inside", "above", "above/secret",
                           "magic", "b/folder/up", "/etc/passwd"}) {
    INFO(name);
    CHECK(openBelow(folder.root, name, links).error != 0);
  }
}

TEST_CASE("links inside are followed where the kernel can hold them there, else not") {
  const Folder folder;
  folder.write("..data/a", "1");
  folder.link("..data/a", "a");
  folder.link("..data", "folder");
  folder.link("loop", "loop");
  CHECK(contentOf(openBelow(folder.root, "a")) == "1");
  CHECK(contentOf(openBelow(folder.root, "folder/a")) == "1");
  CHECK(openBelow(folder.root, "loop").error == ELOOP);
  CHECK(openBelow(folder.root, "a", Links::kNone).error == ELOOP);
  CHECK(openBelow(folder.root, "folder/a", Links::kNone).error == ENOTDIR);
}

TEST_CASE("a link to the root may lead elsewhere from one request to the next") {
  const Folder folder;
  folder.write("v1/a", "1");
  folder.write("v2/a", "2");
  folder.link("v1", "now");
  CHECK(contentOf(openBelow(folder.path("now"), "a")) == "1");
  folder.link("v2", "next");
  std::filesystem::rename(folder.path("next"), folder.path("now"));
  CHECK(contentOf(openBelow(folder.path("now"), "a")) == "2");
}

TEST_CASE("paths are decoded once, and never climb") {
  const auto read = [](const std::string& raw) -> std::string {
    RelativePath out;
    if (!readRelativePath(raw, out)) return "refused";
    return out.path + (out.slash ? " /" : "");
  };
  CHECK(read("") == "");
  CHECK(read("a/b") == "a/b");
  CHECK(read("a/b/") == "a/b /");
  CHECK(read("a%20b") == "a b");
  CHECK(read("a%252fb") == "a%2fb");
  CHECK(read("a%") == "a%");
  CHECK(read("...") == "...");
  CHECK(read("..a/.b") == "..a/.b");
  CHECK(read("%3Fa%23") == "?a#");
  for (const char* bad : {"..", ".", "a/..", "a/../b", "%2e%2e", ".%2E/a", "a//b", "/a", "a/./b", "a%2fb", "a%2Fb",
                          "a%00", "%00", "a/%2e/b", "..%2fa"}) {
    INFO(bad);
    CHECK(read(bad) == "refused");
  }
}

TEST_CASE("a prefix is of whole segments, decoded") {
  const auto rest = [](const std::string& prefix, const std::string& path) {
    return std::string(Mapping{prefix, "x"}.rest(path).value_or("-"));
  };
  CHECK(rest("/", "/a") == "/a");
  CHECK(rest("/", "/") == "/");
  CHECK(rest("/a", "/a") == "");
  CHECK(rest("/a", "/a/") == "/");
  CHECK(rest("/a", "/a/b") == "/b");
  CHECK(rest("/a", "/%61/b") == "/b");
  CHECK(rest("/a/", "/a/b") == "/b");
  CHECK(rest("/a/", "/a") == "-");
  CHECK(rest("/a", "/ab") == "-");
  CHECK(rest("/a", "/b") == "-");
  CHECK(rest("/a/b", "/a%2fb") == "-");
  CHECK(rest("/a", "") == "-");
}

// --- answers ---

TEST_CASE("a file is the answer to GET, with what caches want to know") {
  const Folder folder;
  folder.write("b/page.HTML", "hello");
  Server server(folder, ", content_types: {html: text/html}");
  const Harness& h = server.ask("/files/b/page.HTML?x=/../y");
  CHECK(h.client.status == 200);
  CHECK(h.client.body == "hello");
  CHECK(h.client.complete);
  CHECK(h.client.headers == Fields{{"accept-ranges", "bytes"},
                                   {"etag", "\"2ebc98a1-0-5\""},
                                   {"last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                   {"content-length", "5"},
                                   {"content-type", "text/html"}});
  CHECK(h.terminal.heads == 0);
}

TEST_CASE("HEAD gets the same head, whatever range it asks for") {
  const Folder folder;
  folder.write("a", "hello");
  Server server(folder);
  const Harness& h = server.ask("/files/a", {{"range", "bytes=0-1"}}, "HEAD");
  CHECK(h.client.status == 200);
  CHECK(field(h, "content-length") == "5");
  CHECK(field(h, "content-type") == "-");
  CHECK(h.client.body.empty());
  CHECK(h.client.complete);
}

TEST_CASE("an empty file is an answer without a body") {
  const Folder folder;
  folder.write("a", "");
  Server server(folder);
  const Harness& h = server.ask("/files/a");
  CHECK(h.client.status == 200);
  CHECK(field(h, "content-length") == "0");
  CHECK(h.client.complete);
}

TEST_CASE("other paths go on, and the longest prefix counts") {
  const Folder folder;
  folder.write("a", "1");
  folder.write("b/a", "2");
  World world;
  const auto factory = world.compile("path_mappings: [{request_path_prefix: /x, file_path_prefix: '" + folder.root +
                                     "'}, {request_path_prefix: /x/y, file_path_prefix: '" + folder.path("b") + "'}]");
  REQUIRE(factory);
  const auto body = [&](const std::string& path) {
    Harness h({factory});
    h.stream.request().path = h.stream.arena().copy(path);
    h.request("GET", {}, true);
    return h.terminal.heads == 1 ? "goes on" : h.client.body;
  };
  CHECK(body("/x/a") == "1");
  CHECK(body("/x/y/a") == "2");
  CHECK(body("/xa") == "goes on");
  CHECK(body("/a") == "goes on");
}

TEST_CASE("a part of a file is sent, and a range behind its end refused") {
  const Folder folder;
  folder.write("a", "0123456789");
  Server server(folder);
  const Harness& part = server.ask("/files/a", {{"range", "bytes=2-4"}});
  CHECK(part.client.status == 206);
  CHECK(part.client.body == "234");
  CHECK(field(part, "content-range") == "bytes 2-4/10");
  CHECK(field(part, "content-length") == "3");
  const Harness& behind = server.ask("/files/a", {{"range", "bytes=10-"}});
  CHECK(behind.client.status == 416);
  CHECK(field(behind, "content-range") == "bytes */10");
  CHECK(behind.client.body.empty());
}

TEST_CASE("a file that the client has is not sent, and one that it does not mean is refused") {
  const Folder folder;
  folder.write("a", "hello");
  Server server(folder);
  const std::string etag = field(server.ask("/files/a"), "etag");
  const Harness& same = server.ask("/files/a", {{"if-none-match", etag}});
  CHECK(same.client.status == 304);
  CHECK(same.client.body.empty());
  CHECK(same.client.complete);
  CHECK(field(same, "etag") == etag);
  CHECK(field(same, "content-length") == "-");
  CHECK(server.ask("/files/a", {{"if-match", "\"other\""}}).client.status == 412);
  CHECK(server.ask("/files/a", {{"range", "bytes=0-0"}, {"if-range", "\"other\""}}).client.body == "hello");
}

TEST_CASE("the tag of a file that was written within the last second is weak, and its date not in the future") {
  const Folder folder;
  folder.write("a", "hello");
  Server server(folder);
  Harness h({server.factory});
  h.stream.info().start_time = std::chrono::system_clock::time_point(seconds(kModified - 10));
  h.stream.request().path = "/files/a";
  h.request("GET", {}, true);
  CHECK(field(h, "etag").substr(0, 3) == "W/\"");
  CHECK(field(h, "last-modified") == "Sun, 06 Nov 1994 08:49:27 GMT");
}

TEST_CASE("what is not there, may not be read or is no file is refused, each with its status") {
  const Folder folder;
  folder.write("a", "1");
  folder.link("../secret", "up");
  std::filesystem::create_directory(folder.path("folder"));
  REQUIRE(mkfifo(folder.path("pipe").c_str(), 0600) == 0);
  Server server(folder);
  struct Case {
    const char* path;
    uint16_t status;
    const char* details;
  };
  for (const Case& one :
       {Case{"/files/none", 404, "file_server_open_error"}, Case{"/files/a/b", 404, "file_server_open_error"},
        Case{"/files/a/", 404, "file_server_open_error"}, Case{"/files/up", 404, "file_server_open_error"},
        Case{"/files/pipe", 403, "file_server_not_a_file"},
        Case{"/files/folder", 403, "file_server_no_valid_directory_behavior"},
        Case{"/files/../secret", 400, "file_server_rejected_non_normalized_path"},
        Case{"/files/%2e%2e/secret", 400, "file_server_rejected_non_normalized_path"},
        Case{"/files/..%2fsecret", 400, "file_server_rejected_non_normalized_path"},
        Case{"/files/a%00", 400, "file_server_rejected_non_normalized_path"},
        Case{"/files//a", 400, "file_server_rejected_non_normalized_path"}}) {
    INFO(one.path);
    Harness& h = server.ask(one.path);
    CHECK(h.client.status == one.status);
    CHECK(details(h) == one.details);
    CHECK(h.client.body.find("secret") == std::string::npos);
  }
  CHECK(server.ask("/files/" + std::string(300, 'x')).client.status == 404);
}

TEST_CASE("other methods and requests with a body are refused") {
  const Folder folder;
  folder.write("a", "1");
  Server server(folder);
  const Harness& post = server.ask("/files/a", {}, "POST");
  CHECK(post.client.status == 405);
  CHECK(field(post, "allow") == "GET, HEAD");
  Harness body({server.factory});
  body.stream.request().path = "/files/a";
  body.request("GET", {{"content-length", "1"}}, false);
  CHECK(body.client.status == 400);
  CHECK(details(body) == "file_server_rejected_not_end_stream");
}

TEST_CASE("a folder is answered by the first of its files that is there") {
  const Folder folder;
  folder.write("b/index.html", "index");
  folder.write("c/other.txt", "other");
  folder.write("d/x", "");
  Server server(folder,
                ", directory_behaviors: [{default_file: index.html}, {default_file: other.txt}], "
                "content_types: {html: text/html, txt: text/plain}");
  CHECK(server.ask("/files/b/").client.body == "index");
  CHECK(field(server.ask("/files/b/"), "content-type") == "text/html");
  CHECK(server.ask("/files/c/").client.body == "other");
  CHECK(server.ask("/files/d/").client.status == 403);
  CHECK(server.ask("/files/").client.status == 403);
}

TEST_CASE("a folder without a slash at its end leads to the one with it, and to no other host") {
  const Folder folder;
  folder.write("b/c/index.html", "index");
  folder.write("https:/index.html", "index");
  folder.write("\\host/index.html", "index");
  Server server(folder, ", directory_behaviors: [{default_file: index.html}]");
  for (const auto& [path, location] : {std::pair{"/files", "./files/"},
                                       {"/files/b/c", "./c/"},
                                       {"/files/b/c?x=/y", "./c/?x=/y"},
                                       {"/files/b/%63", "./%63/"},
                                       {"/files/https:", "./https:/"},
                                       {"/files/\\host", "./\\host/"}}) {
    INFO(path);
    for (const char* method : {"GET", "HEAD"}) {
      Harness& h = server.ask(path, {}, method);
      CHECK(h.client.status == 301);
      CHECK(field(h, "location") == location);
      CHECK(details(h) == "file_server_folder_redirect");
    }
  }
  CHECK(server.ask("/files//host").client.status == 400);
  CHECK(field(server.ask("/files/b/c/"), "location") == "-");

  Server closed(folder);
  CHECK(closed.ask("/files/b").client.status == 403);
}

TEST_CASE("a path with two slashes leads nowhere from a folder that stands for all paths") {
  const Folder folder;
  folder.write("host/index.html", "index");
  World world;
  const auto factory = world.compile("path_mappings: [{request_path_prefix: /, file_path_prefix: '" + folder.root +
                                     "'}], directory_behaviors: [{default_file: index.html}]");
  REQUIRE(factory);
  for (const auto& [path, location] : {std::pair{"/host", "./host/"}, {"//host", "-"}, {"//host/", "-"}}) {
    INFO(path);
    Harness h({factory});
    h.stream.request().path = path;
    h.request("GET", {}, true);
    CHECK(field(h, "location") == location);
    CHECK(h.client.status == (location[0] == '-' ? 400 : 301));
  }
}

TEST_CASE("a folder's listing shows its names, whatever is in them, and leads to them") {
  const Folder folder;
  folder.write("b/<i>'\"&", "1");
  folder.write("b/.hidden", "1");
  folder.write("b/sub/x", "1");
  Server server(folder, ", directory_behaviors: [{default_file: index.html}, {list: {}}]");
  const Harness& h = server.ask("/files/b/?<x>");
  CHECK(h.client.status == 200);
  CHECK(field(h, "content-type") == "text/html; charset=utf-8");
  CHECK(h.client.body ==
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>/files/b/</title></head><body><ul>\n"
        "<li><a href=\"/files/b/%3Ci%3E%27%22%26\">&lt;i&gt;&#39;&quot;&amp;</a></li>\n"
        "<li><a href=\"/files/b/sub/\">sub/</a></li>\n</ul></body></html>\n");
}

TEST_CASE("a folder with too many names is not listed") {
  const Folder folder;
  for (size_t i = 0; i <= kMostListed; ++i) std::ofstream(folder.path(std::to_string(i)));
  Server server(folder, ", directory_behaviors: [{list: {}}]");
  CHECK(server.ask("/files/").client.status == 403);
  std::filesystem::remove(folder.path("0"));
  CHECK(server.ask("/files/").client.status == 200);
}

TEST_CASE("a mapping may be of a file") {
  const Folder folder;
  folder.write("robots.txt", "1");
  World world;
  const auto factory = world.compile("path_mappings: [{request_path_prefix: /robots.txt, file_path_prefix: '" +
                                     folder.path("robots.txt") + "'}], content_types: {txt: text/plain}");
  REQUIRE(factory);
  for (const auto& [path, status] : {std::pair{"/robots.txt", 200}, {"/robots.txt/", 404}, {"/robots.txt/x", 404}}) {
    Harness h({factory});
    h.stream.request().path = path;
    h.request("GET", {}, true);
    CHECK(h.client.status == status);
    if (status == 200) CHECK(field(h, "content-type") == "text/plain");
  }
}

TEST_CASE("content types go by the last suffix, or the whole name, in any case") {
  Settings settings;
  settings.content_types = {{"gz", "1"}, {"readme", "2"}, {"", "3"}};
  settings.default_content_type = "d";
  CHECK(settings.contentTypeOf("a/b.tar.GZ") == "1");
  CHECK(settings.contentTypeOf("a.gz/README") == "2");
  CHECK(settings.contentTypeOf("a.") == "3");
  CHECK(settings.contentTypeOf("a.x") == "d");
  CHECK(settings.contentTypeOf(".gz") == "d");
}

// --- bodies ---

struct ReadFile {
  ReadFile(const std::string& path, uint64_t size)
      : body(net::Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)), 0, size, worker.loop, {}) {}
  worker::testing::TestWorker worker;
  FileBody body;
};

TEST_CASE("a large file is read in pieces, and others have their turn in between") {
  const Folder folder;
  std::string text(FileBody::kTurn * 2 + 100, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i / 1000 % 26);
  folder.write("a", text);
  Server server(folder);
  Harness& h = server.ask("/files/a");
  CHECK(h.client.body.size() == FileBody::kTurn);
  h.stream.testWorker().loop.turn();
  CHECK(h.client.complete);
  CHECK(h.client.body == text);
}

TEST_CASE("an answer that is over in between is not gone on with") {
  const Folder folder;
  folder.write("a", std::string(FileBody::kTurn + 1, 'x'));
  Server server(folder);
  Harness& h = server.ask("/files/a");
  h.runner.reset();
  h.stream.testWorker().loop.turn();
  CHECK(h.client.body.size() == FileBody::kTurn);
}

TEST_CASE("no more is read than there is room for, nor than a piece") {
  const Folder folder;
  folder.write("a", "hello");
  folder.write("b", std::string(2 * FileBody::kPiece, 'x'));
  ReadFile small(folder.path("a"), 5), large(folder.path("b"), 2 * FileBody::kPiece);
  std::string piece;
  CHECK(small.body.read(2, piece) == filter::ReplyBody::Read::kMore);
  CHECK(piece == "he");
  CHECK(large.body.read(3 * FileBody::kPiece, piece) == filter::ReplyBody::Read::kMore);
  CHECK(piece.size() == FileBody::kPiece);
}

TEST_CASE("a file that becomes shorter ends the answer as a failure") {
  const Folder folder;
  folder.write("a", std::string(1000, 'x'));
  Server server(folder);
  Harness h({server.factory});
  h.client.unsent = filter::ChainRunner::kWindow;
  h.stream.request().path = "/files/a";
  h.request("GET", {}, true);
  REQUIRE(field(h, "content-length") == "1000");
  std::filesystem::resize_file(folder.path("a"), 500);
  h.client.unsent = 0;
  h.runner->responseProgress();
  CHECK(h.client.body.size() == 500);
  CHECK_FALSE(h.client.complete);
  CHECK_FALSE(h.client.reset.empty());
}

TEST_CASE("a file that grows is sent as long as it was") {
  const Folder folder;
  folder.write("a", "hello");
  ReadFile file(folder.path("a"), 5);
  folder.write("a", "hello, world");
  std::string piece;
  CHECK(file.body.read(100, piece) == filter::ReplyBody::Read::kEnd);
  CHECK(piece == "hello");
}

TEST_CASE("only so many files are open at once, and a place is free when its answer is over") {
  const Folder folder;
  folder.write("a", "hello");
  Settings settings;
  settings.mappings = {{"/files", folder.root}};
  settings.places = std::make_shared<base::SharedLimit>(1);
  const auto factory = std::make_shared<FilterFactory>(settings);
  Harness first({factory}), second({factory}), third({factory});
  for (Harness* h : {&first, &second, &third}) h->stream.request().path = "/files/a";
  first.client.unsent = filter::ChainRunner::kWindow;
  first.request("GET", {}, true);
  REQUIRE_FALSE(first.client.complete);

  second.request("GET", {}, true);
  CHECK(second.client.status == 503);
  CHECK(details(second) == "file_server_too_many_open_files");

  first.runner.reset();
  third.request("GET", {}, true);
  CHECK(third.client.body == "hello");
  CHECK(settings.places->used() == 0);
}

// --- configuration ---

TEST_CASE("a route's own settings take the place of the filter's") {
  const Folder folder;
  folder.write("a", "1");
  folder.write("b/a", "2");
  World world;
  const auto mapping = [](const std::string& to) {
    return "path_mappings: [{request_path_prefix: /, file_path_prefix: '" + to + "'}]";
  };
  const auto factory = world.compile(mapping(folder.root));
  const auto route = world.compileRoute(mapping(folder.path("b")));
  INFO(world.problems());
  REQUIRE(factory);
  REQUIRE(route);
  Harness h({factory}, {route});
  h.stream.request().path = "/a";
  h.request("GET", {}, true);
  CHECK(h.client.body == "2");
}

TEST_CASE("what is mapped and is not there is warned of") {
  const Folder folder;
  World world;
  REQUIRE(world.compile("path_mappings: [{request_path_prefix: /a, file_path_prefix: '" + folder.root +
                        "'}, {request_path_prefix: /b, file_path_prefix: '" + folder.path("none") + "'}]"));
  REQUIRE(world.errors.warnings().size() == 1);
  CHECK(world.errors.warnings()[0].toString() == "test.yaml:1:" + std::to_string(world.errors.warnings()[0].column) +
                                                     ": path_mappings[1].file_path_prefix: " + folder.path("none") +
                                                     " is not there; requests are answered 404 until it is");
}

TEST_CASE("wrong settings are refused") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK(world.compile(yaml) == nullptr);
    return world.problems();
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(has(problems("path_mappings: [{request_path_prefix: a, file_path_prefix: /x}]"),
            "path_mappings[0].request_path_prefix: matches no path; begin it with a slash"));
  CHECK(has(problems("path_mappings: [{request_path_prefix: /a, file_path_prefix: /x}, "
                     "{request_path_prefix: /a, file_path_prefix: /y}]"),
            "path_mappings[1].request_path_prefix: /a is mapped twice"));
  CHECK(has(problems("directory_behaviors: [{}]"), "directory_behaviors[0]: needs either a default_file or list"));
  CHECK(has(problems("directory_behaviors: [{default_file: a, list: {}}]"), "make two entries of them"));
  CHECK(has(problems("directory_behaviors: [{default_file: a/b}]"), "default_file"));
  CHECK(has(problems("directory_behaviors: [{default_file: '..'}]"), "default_file: is no name of a file"));
  CHECK(has(problems("directory_behaviors: [{list: {}}, {list: {}}]"), "directory_behaviors[1]: is there twice"));
  CHECK(has(problems("content_types: {a.b: text/plain}"), "content_types"));
  CHECK(has(problems("content_types: {a: \"x\\r\\ny: z\"}"), "has a control character"));
  World world;
  Proto proto;
  CHECK_FALSE(world.load("{path_mappings: [{request_path_prefix: /a, file_path_prefix: /x}]}", proto));
}

TEST_CASE("it passes the interleaving suite with a file as the answer") {
  const Folder folder;
  folder.write("a", "hello");
  Server server(folder);
  filter::testing::Suite suite;
  suite.request = {{}, "", false, "GET", "/files/a"};
  suite.chain = [&] { return std::vector{server.factory}; };
  suite.response_due = [](std::string_view) { return std::string("hello"); };
  suite.response_trailers_due = 0;
  suite.answers_itself = true;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

TEST_CASE("it passes the interleaving suite where requests go on") {
  const Folder folder;
  Server server(folder);
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{server.factory}; };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::file_server
