// RFC 9113 as a table: what a server sends, and what a client makes of it.
#include "source/http/h2/test_conformance.h"

namespace sluice::http::h2 {
namespace {

using C = TestClient;
using ClientCase = Case<TestClient>;

ClientCase response(const char* section, const char* rule, Fields fields, Expect expect, bool end = true) {
  return {section, rule, [fields, end](C& c) { return c.response(1, fields, end); }, expect};
}

std::vector<ClientCase> clientCases() {
  const Fields good{{":status", "200"}};
  return {
      {"3.4", "a server's preface is SETTINGS", [](C&) { return ping(); }, connectionError(kProtocol), false},
      {"5.1", "idle: HEADERS on a stream that we did not open", [good](C& c) { return c.response(3, good); },
       connectionError(kProtocol)},
      {"5.1", "idle: HEADERS on an even stream", [good](C& c) { return c.response(2, good); },
       connectionError(kProtocol)},
      {"6.1",
       "closed by both ends: DATA",
       [good](C& c) {
         c.codec->sendData(1, {}, true);
         c.feed(c.response(1, good, true));
         return data(1, "x") + ping();
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "PING 0 ACK"}},
      {"5.1",
       "closed by both ends: HEADERS",
       [good](C& c) {
         c.codec->sendData(1, {}, true);
         c.feed(c.response(1, good, true));
         return c.response(1, good) + ping();
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "PING 0 ACK"}},
      {"5.1", "half-closed (remote): DATA", [good](C& c) { return c.response(1, good, true) + data(1, "x"); },
       connectionError(kStreamClosed)},
      {"5.1", "half-closed (remote): HEADERS",
       [good](C& c) { return c.response(1, good, true) + c.response(1, good, true); }, connectionError(kStreamClosed)},
      {"6.1",
       "closed by the server's RST_STREAM: DATA",
       [](C& c) {
         c.feed(rst(1, kCancel));
         return data(1, "x") + ping();
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "PING 0 ACK"}},
      {"5.1", "closed by our RST_STREAM: what is on its way is dropped",
       [good](C& c) {
         c.codec->reset(1, ResetReason::kLocal);
         c.frames();
         return c.response(1, good) + data(1, "x") + c.response(1, {{"x", "y"}}, true) + windowUpdate(1, 1) +
                rst(1, kCancel) + ping();
       },
       ok("PING 0 ACK")},
      {"6.5.2", "a server does not set SETTINGS_ENABLE_PUSH to 1", [](C&) { return settings(setting(2, 1)); },
       connectionError(kProtocol)},
      {"6.6", "PUSH_PROMISE although SETTINGS_ENABLE_PUSH is 0",
       [](C&) { return frame(kPushPromise, kEndHeaders, 1, number(2, 4) + plainBlock()); }, connectionError(kProtocol)},
      {"8.1", "DATA in front of the head", [](C&) { return data(1, "x"); }, connectionError(kProtocol)},
      {"8.1", "an informational head with END_STREAM",
       [](C& c) {
         return c.response(1, {{":status", "103"}}, true);
       },
       streamError(kProtocol)},
      {"8.1", "a head behind the final one without END_STREAM",
       [good](C& c) { return c.response(1, good) + c.response(1, good); }, streamError(kProtocol)},
      {"8.1", "pseudo-header fields in trailers",
       [good](C& c) { return c.response(1, good) + c.response(1, good, true); }, streamError(kProtocol)},
      {"8.1.1", "DATA beyond content-length",
       [](C& c) {
         return c.response(1, {{":status", "200"}, {"content-length", "1"}}) + data(1, "ab");
       },
       streamError(kProtocol)},
      {"8.1.1", "DATA short of content-length",
       [](C& c) {
         return c.response(1, {{":status", "200"}, {"content-length", "3"}}) + data(1, "ab", true);
       },
       streamError(kProtocol)},
      response("8.1.1", "END_STREAM with a content-length above 0", {{":status", "200"}, {"content-length", "1"}},
               streamError(kProtocol)),
      response("8.1.1", "304 with a content-length and no body", {{":status", "304"}, {"content-length", "1"}}, ok()),
      {"8.1.1", "204 with DATA",
       [](C& c) {
         return c.response(1, {{":status", "204"}}) + data(1, "x");
       },
       streamError(kProtocol)},
      response("8.2", "an upper-case name", {{":status", "200"}, {"X", "y"}}, streamError(kProtocol)),
      response("8.2.1", "LF in a value", {{":status", "200"}, {"x", "y\nz"}}, streamError(kProtocol)),
      response("8.2.2", "connection", {{":status", "200"}, {"connection", "x"}}, streamError(kProtocol)),
      response("8.2.2", "transfer-encoding", {{":status", "200"}, {"transfer-encoding", "chunked"}},
               streamError(kProtocol)),
      response("8.3", "a request's pseudo-header field", {{":status", "200"}, {":path", "/"}}, streamError(kProtocol)),
      response("8.3.2", "no :status", {{"x", "y"}}, streamError(kProtocol)),
      response("8.3.2", "two :status", {{":status", "200"}, {":status", "200"}}, streamError(kProtocol)),
      response("8.3.2", ":status of two digits", {{":status", "20"}}, streamError(kProtocol)),
      response("8.3.2", ":status behind a field", {{"x", "y"}, {":status", "200"}}, streamError(kProtocol)),
      response("8.6", "101 is not for HTTP/2", {{":status", "101"}}, streamError(kProtocol), false),
  };
}

TEST_CASE("a client keeps to RFC 9113") {
  for (const ClientCase& row : clientCases()) {
    for (const bool bytewise : {false, true}) {
      TestClient client;
      if (row.settled) client.settle();
      client.send("POST", false);
      const std::string bytes = row.bytes(client);
      check(row, client, bytes, bytewise);
    }
  }
}

}  // namespace
}  // namespace sluice::http::h2
