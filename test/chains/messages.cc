#include "test/chains/messages.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "source/http/grpc.h"

namespace sluice::chains {
namespace {

using http::grpc::framed;

const std::vector<std::string> kTypes = {"text/plain",
                                         "application/json",
                                         "application/grpc",
                                         "application/grpc-web",
                                         "application/grpc-web-text",
                                         "application/proto",
                                         "application/connect+proto",
                                         "application/x-protobuf"};

// "hello hello hello" by gzip.
constexpr std::string_view kGzipped(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x27\x00\x3a\x41\x2e\xdc\x11\x00\x00\x00",
    29);

// hello.Name of the examples: {name: "..."}.
std::string helloName(base::Random& random) {
  const std::string name(1 + random.below(20), 'n');
  return std::string("\x0a") + static_cast<char>(name.size()) + name;
}

// More than a window's worth, now and then.
size_t randomSize(base::Random& random) {
  switch (random.below(7)) {
    case 0:
      return 1;
    case 1:
    case 2:
      return 1 + random.below(10);
    case 3:
    case 4:
      return 1 + random.below(400);
    case 5:
      return 1 + random.below(20000);
    default:
      return 1 + random.below(150000);
  }
}

void maybe(base::Random& random, uint64_t of, Fields& fields, const char* name, std::vector<std::string> values) {
  if (once(random, of)) fields.emplace_back(name, oneOf(random, values));
}

}  // namespace

std::string randomBody(base::Random& random, std::string_view type) {
  if (type == "application/json" && !once(random, 5)) {
    return R"({"model":"m)" + std::string(random.below(300), 'x') + R"(","usage":{"total_tokens":3},"name":"you"})";
  }
  const bool whole = !once(random, 5);
  if (type.starts_with("application/grpc") || type.starts_with("application/connect")) {
    if (whole) {
      std::string out = framed(helloName(random));
      if (once(random, 4)) out += framed(helloName(random));
      return type.ends_with("-text") ? absl::Base64Escape(out) : out;
    }
  }
  if (type.ends_with("proto") && whole) return helloName(random);
  std::string out(randomSize(random), ' ');
  for (char& c : out) c = static_cast<char>('a' + random.below(26));
  return out;
}

std::vector<std::string> randomPieces(base::Random& random, const std::string& body) {
  std::vector<std::string> pieces;
  std::vector<size_t> cuts{0, body.size()};
  for (uint64_t n = random.below(4); n > 0; --n) cuts.push_back(random.below(body.size() + 1));
  std::sort(cuts.begin(), cuts.end());
  for (size_t i = 1; i < cuts.size(); ++i) {
    // A frame of HTTP/2 has 16 KiB at most.
    for (size_t at = cuts[i - 1]; at < cuts[i]; at += 16000) {
      pieces.push_back(body.substr(at, std::min<size_t>(16000, cuts[i] - at)));
    }
  }
  return pieces;
}

Message randomRequest(base::Random& random, bool http2) {
  Message out;
  out.method = oneOf<std::string>(random, {"GET", "GET", "POST", "POST", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"});
  out.path = oneOf<std::string>(random, {"/", "/a", "/a?id=1&debug=2", "/hello.Greeter/Greet", "/hello.Greeter/Greet",
                                         "/v1/greetings/you", "/static/passwd", "/static/none", "/healthz"});
  const bool has_body = out.method == "POST" || out.method == "PUT" || once(random, 6);
  Fields& fields = out.headers;
  if (has_body) {
    const std::string& type = oneOf(random, kTypes);
    if (!once(random, 10)) fields.emplace_back("content-type", type);
    if (once(random, 12)) {
      out.body = kGzipped;
      fields.emplace_back("content-encoding", "gzip");
    } else if (!once(random, 8)) {
      out.body = randomBody(random, type);
      // What a client may send without having heard of a larger window.
      if (http2 && out.body.size() > 60000) out.body.resize(60000);
    }
    out.has_trailers = once(random, 4);
    if (!out.body.empty() && (http2 || !out.has_trailers) && once(random, 2)) {
      fields.emplace_back("content-length", std::to_string(out.body.size()));
    }
  }
  maybe(random, 2, fields, "accept-encoding", {"gzip", "gzip, br", "identity", "zstd"});
  maybe(random, 3, fields, "origin", {"https://a.example", "http://a.example", "https://b.example"});
  maybe(random, 8, fields, "access-control-request-method", {"GET"});
  maybe(random, 3, fields, "user-agent", {"curl/8", "BadApp/1", "Googlebot"});
  maybe(random, 6, fields, "x-user", {"u", "v"});
  maybe(random, 6, fields, "cookie", {"tenant=YQ==", "shop-host=x"});
  maybe(random, 8, fields, "x-test", {"1"});
  maybe(random, 10, fields, "cache-control", {"no-cache", "no-store", "only-if-cached"});
  maybe(random, 12, fields, "range", {"bytes=0-2", "bytes=5-"});
  maybe(random, 12, fields, "if-none-match", {"\"e\""});
  maybe(random, 10, fields, "connect-protocol-version", {"1"});
  maybe(random, 10, fields, "grpc-timeout", {"1S"});
  if (http2) maybe(random, 6, fields, "te", {"trailers"});
  if (!http2) maybe(random, 20, fields, "expect", {"100-continue"});
  return out;
}

Response randomResponse(base::Random& random, const Message& request, size_t number) {
  Response out;
  out.status = oneOf<uint16_t>(random, {200, 200, 200, 200, 200, 200, 204, 304, 302, 404, 500, 503});
  Message& message = out.message;
  Fields& fields = message.headers;
  fields.emplace_back("x-upstream", std::to_string(number));
  std::string type = oneOf(random, kTypes);
  for (const auto& [name, value] : request.headers) {
    if (name == "content-type" && !once(random, 4)) type = value;
  }
  if (type.starts_with("application/grpc") && !once(random, 4)) type = "application/grpc";
  if (!once(random, 10)) fields.emplace_back("content-type", type);
  const bool bodiless = out.status == 204 || out.status == 304 || request.method == "HEAD";
  if (once(random, 12)) {
    message.body = kGzipped;
    fields.emplace_back("content-encoding", "gzip");
  } else if (!once(random, 6)) {
    message.body = randomBody(random, type);
  }
  message.has_trailers = once(random, 3);
  if (out.status != 204 && once(random, 2)) {
    fields.emplace_back("content-length", std::to_string(message.body.size()));
  }
  if (bodiless) {
    message.body.clear();
    message.has_trailers = false;
  }
  maybe(random, 3, fields, "cache-control", {"max-age=60", "no-store", "max-age=1"});
  maybe(random, 4, fields, "etag", {"\"e\"", "W/\"e\""});
  maybe(random, 6, fields, "vary", {"accept", "accept-encoding", "*"});
  maybe(random, 6, fields, "grpc-status", {"0", "5"});
  maybe(random, 6, fields, "x-cost", {"3", "?"});
  return out;
}

}  // namespace sluice::chains
