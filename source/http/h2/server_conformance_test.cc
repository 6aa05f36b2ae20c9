// RFC 9113 sections 3 to 8 and RFC 7541 as a table: what a client sends, and what a server makes of it.
#include "source/http/h2/test_conformance.h"

namespace sluice::http::h2 {
namespace {

using S = TestServer;
using ServerCase = Case<TestServer>;

// A head without the fields of `drop`, with `more` behind.
Fields head(std::string_view drop, Fields more = {}) {
  Fields out;
  for (const auto& [name, value] :
       Fields{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a"}}) {
    if (name != drop) out.emplace_back(name, value);
  }
  out.insert(out.end(), more.begin(), more.end());
  return out;
}
std::string headersFrame(uint8_t flags, uint32_t stream, std::string_view block) {
  return frame(kHeaders, flags, stream, block);
}
ServerCase request(const char* section, const char* rule, Fields fields, Expect expect, bool end = true) {
  return {section, rule, [fields, end](S& s) { return s.request(1, fields, end); }, expect};
}
ServerCase rawBlock(const char* rule, std::string block) {
  return {"7541", rule, [block](S&) { return headersFrame(kEndStream | kEndHeaders, 1, block); },
          connectionError(kCompression)};
}

std::vector<ServerCase> serverCases() {
  const std::string big(16385, 'x');
  return {
      // --- 3: starting
      {"3.4", "a preface that is another text ends the connection",
       [](S&) { return "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + settings(); }, connectionError(kProtocol), false},
      {"3.4", "a preface is SETTINGS first", [](S&) { return magic() + ping(); }, connectionError(kProtocol), false},
      {"3.4", "the server's SETTINGS come first and the client's are acknowledged", [](S&) { return preface(); },
       ok("\nSETTINGS 0 4=65536"), false},
      {"3.4", "requests may follow the preface at once", [](S& s) { return preface() + s.get(1); }, ok("HEADERS 1 ES"),
       false},
      // --- 4: frames
      {"4.1", "frames of unknown types are ignored", [](S& s) { return frame(0xfe, 0xff, 1, "junk") + s.get(1); },
       ok("HEADERS 1 ES")},
      {"4.1", "flags without meaning are ignored", [](S&) { return frame(kPing, 0x16 & ~kAck, 0, "01234567"); },
       ok("PING 0 ACK")},
      {"4.1", "the reserved bit of a stream id is ignored", [](S&) { return frame(kPing, 0, 0x80000000u, "01234567"); },
       ok("PING 0 ACK")},
      {"4.2", "DATA of the largest size is taken",
       [](S& s) { return s.post(1) + data(1, std::string(16384, 'x'), true); }, ok("HEADERS 1 ES")},
      {"4.2", "DATA beyond SETTINGS_MAX_FRAME_SIZE", [big](S& s) { return s.post(1) + data(1, big); },
       connectionError(kFrameSize)},
      {"4.2", "HEADERS beyond SETTINGS_MAX_FRAME_SIZE", [big](S&) { return headersFrame(kEndHeaders, 1, big); },
       connectionError(kFrameSize)},
      {"4.2", "SETTINGS beyond SETTINGS_MAX_FRAME_SIZE",
       [](S&) { return frame(kSettings, 0, 0, std::string(16386, '\0')); }, connectionError(kFrameSize)},
      {"4.3", "a header block that cannot be decompressed",
       [](S&) { return headersFrame(kEndHeaders | kEndStream, 1, "\xff\xff\xff\xff\xff\xff"); },
       connectionError(kCompression)},
      {"4.3", "another frame of the stream in a header block",
       [](S&) { return headersFrame(kNone, 1, plainBlock()) + data(1, "x"); }, connectionError(kProtocol)},
      {"4.3", "a frame of another stream in a header block",
       [](S& s) { return headersFrame(kNone, 1, plainBlock()) + s.get(3); }, connectionError(kProtocol)},
      {"4.3", "PRIORITY in a header block",
       [](S&) { return headersFrame(kNone, 1, plainBlock()) + frame(kPriority, 0, 1, std::string(5, '\0')); },
       connectionError(kProtocol)},
      {"4.3", "a frame of an unknown type in a header block",
       [](S&) { return headersFrame(kNone, 1, plainBlock()) + frame(0xfe, 0, 0, "x"); }, connectionError(kProtocol)},
      // --- 5: streams
      {"5.1", "idle: DATA", [](S&) { return data(1, "x"); }, connectionError(kProtocol)},
      {"5.1", "idle: RST_STREAM", [](S&) { return rst(1, kCancel); }, connectionError(kProtocol)},
      {"5.1", "idle: WINDOW_UPDATE", [](S&) { return windowUpdate(1, 1); }, connectionError(kProtocol)},
      {"5.1", "idle: CONTINUATION", [](S&) { return frame(kContinuation, kEndHeaders, 1, plainBlock()); },
       connectionError(kProtocol)},
      {"5.1", "idle: PRIORITY is allowed",
       [](S& s) { return frame(kPriority, 0, 5, std::string(4, '\0') + "\x10") + s.get(1); }, ok("HEADERS 1 ES")},
      {"5.1", "half-closed (remote): DATA",
       [](S& s) {
         s.answers = false;
         return s.get(1) + data(1, "x");
       },
       connectionError(kStreamClosed)},
      {"5.1", "half-closed (remote): HEADERS",
       [](S& s) {
         s.answers = false;
         return s.get(1) + s.get(1);
       },
       connectionError(kStreamClosed)},
      {"5.1", "half-closed (remote): WINDOW_UPDATE, PRIORITY and RST_STREAM are allowed",
       [](S& s) {
         s.answers = false;
         return s.get(1) + windowUpdate(1, 1) + frame(kPriority, 0, 1, std::string(5, '\x03')) + rst(1, kCancel);
       },
       ok()},
      {"5.1", "closed: WINDOW_UPDATE and RST_STREAM may come late",
       [](S& s) { return s.get(1) + windowUpdate(1, 1) + rst(1, kCancel) + s.get(3); }, ok("HEADERS 3 ES")},
      {"8.1", "half-closed (local): what is left of the request is ignored",
       [](S& s) {
         s.on_headers = [&s](StreamId id) {
           if (id == 1) s.reply(1, 200);
         };
         return s.post(1) + data(1, "late") + windowUpdate(1, 9) + data(1, "end", true) + s.get(3);
       },
       ok("HEADERS 3 ES")},
      {"8.1", "half-closed (local): trailers",
       [](S& s) {
         s.feed(s.post(1));
         s.reply(1, 200);
         return data(1, "late") + s.request(1, {{"x", "y"}}) + s.get(3);
       },
       ok("HEADERS 3 ES")},
      {"8.1",
       "half-closed (local): HEADERS that end nothing",
       [](S& s) {
         s.feed(s.post(1));
         s.reply(1, 200);
         return s.request(1, {{"x", "y"}}, false) + s.get(3);
       },
       {Expect::Kind::kStream, kNoError, 1, "HEADERS 3 ES"}},
      {"5.2", "half-closed (local): the window is kept to",
       [](S& s) {
         s.feed(s.post(1));
         s.reply(1, 200);
         std::string out;
         for (int i = 0; i < 5; ++i) out += data(1, std::string(16000, 'x'));
         return out;
       },
       streamError(kFlowControl)},
      // Each kind of frame in each state; what the states have in common is with the frames, in section 6.
      {"5.1", "open: every frame of a stream may come",
       [](S& s) {
         s.answers = false;
         return s.post(1) + data(1, "x") + windowUpdate(1, 1) + frame(kPriority, 0, 1, std::string(5, '\x03')) +
                s.request(1, {{"x", "y"}}) + ping();
       },
       ok("PING 0 ACK")},
      {"5.1", "open: RST_STREAM", [](S& s) { return s.post(1) + rst(1, kCancel) + ping(); }, ok("PING 0 ACK")},
      {"5.1", "half-closed (remote): CONTINUATION",
       [](S& s) {
         s.answers = false;
         return s.get(1) + frame(kContinuation, kEndHeaders, 1, plainBlock());
       },
       connectionError(kProtocol)},
      {"5.1", "half-closed (remote): PUSH_PROMISE",
       [](S& s) {
         s.answers = false;
         return s.get(1) + frame(kPushPromise, kEndHeaders, 1, number(2, 4) + plainBlock());
       },
       connectionError(kProtocol)},
      {"5.1", "half-closed (local): a tunnel whose response ended takes DATA and the end",
       [](S& s) {
         s.on_headers = [&s](StreamId id) {
           if (id != 1) return;
           s.begin(id);
           s.codec->sendData(id, {}, true);
         };
         return s.request(1, {{":method", "CONNECT"}, {":authority", "a:1"}}, false) + data(1, "x") +
                windowUpdate(1, 1) + data(1, "y", true) + s.get(3);
       },
       ok("HEADERS 3 ES")},
      {"6.1",
       "closed by both ends: DATA",
       [](S& s) {
         s.feed(s.get(1));
         return data(1, "x") + s.get(3);
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "HEADERS 3 ES"}},
      {"5.1",
       "closed by both ends: HEADERS",
       [](S& s) {
         s.feed(s.get(1));
         return s.get(1) + s.get(3);
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "HEADERS 3 ES"}},
      {"5.1", "closed by both ends: WINDOW_UPDATE, PRIORITY and RST_STREAM",
       [](S& s) {
         s.feed(s.get(1));
         return windowUpdate(1, 1) + frame(kPriority, 0, 1, std::string(5, '\x03')) + rst(1, kCancel) + s.get(3);
       },
       ok("HEADERS 3 ES")},
      {"5.1", "closed: CONTINUATION",
       [](S& s) {
         s.feed(s.get(1));
         return frame(kContinuation, kEndHeaders, 1, plainBlock());
       },
       connectionError(kProtocol)},
      {"6.1",
       "closed by the client's RST_STREAM: DATA",
       [](S& s) {
         s.feed(s.post(1) + rst(1, kCancel));
         return data(1, "x") + s.get(3);
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "HEADERS 3 ES"}},
      {"5.1",
       "closed by the client's RST_STREAM: HEADERS",
       [](S& s) {
         s.feed(s.post(1) + rst(1, kCancel));
         return s.request(1, {{"x", "y"}}) + s.get(3);
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "HEADERS 3 ES"}},
      {"6.1",
       "closed by our RST_STREAM: DATA",
       [](S& s) {
         s.feed(s.post(1));
         s.codec->reset(1, ResetReason::kLocal);
         return data(1, "x") + data(1, "y") + s.get(3);
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "HEADERS 3 ES"}},
      {"6.1",
       "closed by an early response: DATA, which its client is told once of",
       [](S& s) {
         s.feed(s.post(1));
         s.reply(1, 200);
         s.codec->endLingering(true);
         s.frames();
         return data(1, "x") + data(1, "y", true) + s.get(3);
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "RST_STREAM 1 5\nHEADERS 3 ES"}},
      {"5.1",
       "closed by an early response: trailers",
       [](S& s) {
         s.feed(s.post(1));
         s.reply(1, 200);
         s.codec->endLingering(true);
         s.frames();
         return s.request(1, {{"x", "y"}}) + s.get(3);
       },
       {Expect::Kind::kStream, kStreamClosed, 1, "RST_STREAM 1 5\nHEADERS 3 ES"}},
      {"5.1.1", "passed over: DATA on an id that was never used", [](S& s) { return s.get(5) + data(3, "x"); },
       streamError(kStreamClosed, 3)},
      {"5.1.1", "a stream of a client has an odd id", [](S& s) { return s.get(2); }, connectionError(kProtocol)},
      {"5.1.1", "ids of new streams grow", [](S& s) { return s.get(5) + s.get(3); }, connectionError(kProtocol)},
      {"5.1.1", "an id is not used twice by a client that got no answer yet",
       [](S& s) {
         s.answers = false;
         return s.post(1) + s.get(1);
       },
       streamError(kProtocol)},
      {"5.1.1", "ids may be passed over", [](S& s) { return s.get(1) + s.get(7); }, ok("HEADERS 7 ES")},
      {"5.1.2", "a stream beyond SETTINGS_MAX_CONCURRENT_STREAMS",
       [](S& s) {
         s.answers = false;
         std::string out;
         for (uint32_t id = 1; id <= 201; id += 2) out += s.get(id);
         return out;
       },
       connectionError(kProtocol)},
      {"5.2", "a stream's window that we gave is kept to",
       [](S& s) {
         s.consumes = false;
         std::string out = s.post(1);
         for (int i = 0; i < 5; ++i) out += data(1, std::string(16000, 'x'));
         return out;
       },
       streamError(kFlowControl)},
      {"5.4.2", "RST_STREAM is not answered by RST_STREAM", [](S& s) { return s.post(1) + rst(1, kCancel); }, ok()},
      {"5.5", "unknown settings and frames are ignored", [](S&) { return settings(setting(0x999, 7)); },
       ok("SETTINGS 0 ACK")},
      // --- 6.1 DATA
      {"6.1", "DATA on stream 0", [](S&) { return data(0, "x"); }, connectionError(kProtocol)},
      {"6.1", "padding as long as the payload",
       [](S& s) {
         return s.post(1) + frame(kData, kPadded, 1,
                                  "\x05"
                                  "1234");
       },
       connectionError(kProtocol)},
      {"6.1", "padding is taken off",
       [](S& s) {
         return s.post(1, {{"content-length", "2"}}) +
                frame(kData, kPadded | kEndStream, 1, std::string("\x03xy\0\0\0", 6));
       },
       ok("HEADERS 1 ES")},
      {"6.1", "DATA without room for its pad length", [](S& s) { return s.post(1) + frame(kData, kPadded, 1, ""); },
       connectionError(kProtocol)},
      // --- 6.2 HEADERS
      {"6.2", "HEADERS on stream 0", [](S&) { return headersFrame(kEndHeaders, 0, plainBlock()); },
       connectionError(kProtocol)},
      {"6.2", "padding longer than the payload",
       [](S&) { return headersFrame(kEndHeaders | kPadded, 1, "\xff" + plainBlock()); }, connectionError(kProtocol)},
      {"6.2", "padding and priority are taken off",
       [](S&) {
         return headersFrame(kEndHeaders | kEndStream | kPadded | kWithPriority, 1,
                             std::string("\x02\0\0\0\0\x10", 6) + plainBlock() + std::string(2, '\0'));
       },
       ok("HEADERS 1 ES")},
      {"6.2", "HEADERS without room for the priority that it announces",
       [](S&) { return headersFrame(kEndHeaders | kWithPriority, 1, "xy"); }, connectionError(kFrameSize)},
      // --- 6.3 PRIORITY
      {"6.3", "PRIORITY on stream 0", [](S&) { return frame(kPriority, 0, 0, std::string(5, '\0')); },
       connectionError(kProtocol)},
      {"6.3", "PRIORITY of another length than 5", [](S& s) { return s.post(1) + frame(kPriority, 0, 1, "1234"); },
       connectionError(kFrameSize)},
      // --- 6.4 RST_STREAM
      {"6.4", "RST_STREAM on stream 0", [](S&) { return rst(0, kCancel); }, connectionError(kProtocol)},
      {"6.4", "RST_STREAM of another length than 4", [](S& s) { return s.post(1) + frame(kRstStream, 0, 1, "123"); },
       connectionError(kFrameSize)},
      // --- 6.5 SETTINGS
      {"6.5", "SETTINGS on a stream", [](S&) { return frame(kSettings, 0, 1, ""); }, connectionError(kProtocol)},
      {"6.5", "an acknowledgement with a payload", [](S&) { return frame(kSettings, kAck, 0, setting(1, 1)); },
       connectionError(kFrameSize)},
      {"6.5", "a length that is no multiple of 6", [](S&) { return frame(kSettings, 0, 0, "12345"); },
       connectionError(kFrameSize)},
      {"6.5.2", "SETTINGS_ENABLE_PUSH is 0 or 1", [](S&) { return settings(setting(2, 2)); },
       connectionError(kProtocol)},
      {"6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1", [](S&) { return settings(setting(4, 0x80000000u)); },
       connectionError(kFlowControl)},
      {"6.5.2", "SETTINGS_MAX_FRAME_SIZE below 16384", [](S&) { return settings(setting(5, 16383)); },
       connectionError(kProtocol)},
      {"6.5.2", "SETTINGS_MAX_FRAME_SIZE above 2^24-1", [](S&) { return settings(setting(5, 1 << 24)); },
       connectionError(kProtocol)},
      {"6.5.3", "SETTINGS are acknowledged", [](S&) { return settings(setting(3, 1)); }, ok("SETTINGS 0 ACK")},
      {"6.5.3", "the last of equal settings counts",
       [](S& s) {
         s.body = "abc";
         return settings(setting(4, 1) + setting(4, 2)) + s.get(1);
       },
       ok("DATA 1 ab\n")},
      // --- 6.6 PUSH_PROMISE
      {"6.6", "a client sends no PUSH_PROMISE",
       [](S& s) { return s.post(1) + frame(kPushPromise, kEndHeaders, 1, number(2, 4) + plainBlock()); },
       connectionError(kProtocol)},
      // --- 6.7 PING
      {"6.7", "PING is answered", [](S&) { return ping(); }, ok("PING 0 ACK")},
      {"6.7", "the answer to a PING is not answered", [](S&) { return ping("01234567", kAck); }, ok()},
      {"6.7", "PING on a stream", [](S&) { return frame(kPing, 0, 1, "01234567"); }, connectionError(kProtocol)},
      {"6.7", "PING of another length than 8", [](S&) { return ping("0123456"); }, connectionError(kFrameSize)},
      // --- 6.8 GOAWAY
      {"6.8", "GOAWAY on a stream", [](S&) { return frame(kGoaway, 0, 1, number(0, 8)); }, connectionError(kProtocol)},
      {"6.8", "GOAWAY that is too short", [](S&) { return frame(kGoaway, 0, 0, number(0, 7)); },
       connectionError(kFrameSize)},
      {"6.8", "streams go on after the client's GOAWAY",
       [](S& s) { return s.post(1) + goaway(0, 0) + data(1, "x", true); }, ok("HEADERS 1 ES")},
      // --- 6.9 WINDOW_UPDATE
      {"6.9", "an increment of 0 on a stream", [](S& s) { return s.post(1) + windowUpdate(1, 0); },
       connectionError(kProtocol)},
      {"6.9", "an increment of 0 on the connection", [](S&) { return windowUpdate(0, 0); }, connectionError(kProtocol)},
      {"6.9", "WINDOW_UPDATE of another length than 4", [](S&) { return frame(kWindowUpdate, 0, 0, "123"); },
       connectionError(kFrameSize)},
      {"6.9.1", "a stream's window above 2^31-1",
       [](S& s) { return s.post(1) + windowUpdate(1, 0x7fffffff) + windowUpdate(1, 0x7fffffff); },
       streamError(kFlowControl)},
      {"6.9.1", "the connection's window above 2^31-1",
       [](S&) { return windowUpdate(0, 0x7fffffff) + windowUpdate(0, 0x7fffffff); }, connectionError(kFlowControl)},
      {"6.9.1", "no DATA beyond the window",
       [](S& s) {
         s.body = "abc";
         return settings(setting(4, 1)) + s.get(1);
       },
       ok("DATA 1 a\n")},
      {"6.9.2", "a smaller SETTINGS_INITIAL_WINDOW_SIZE makes windows negative",
       [](S& s) {
         s.body = "abcdef";
         return settings(setting(4, 3)) + s.get(1) + settings(setting(4, 1)) + windowUpdate(1, 3);
       },
       ok("d\n")},
      {"6.9.2", "a SETTINGS_INITIAL_WINDOW_SIZE that takes a window above 2^31-1",
       [](S& s) {
         s.answers = false;
         return s.get(1) + windowUpdate(1, 65536) + settings(setting(4, 0x7fffffff));
       },
       connectionError(kFlowControl)},
      // --- 6.10 CONTINUATION
      {"6.10", "a block in many frames is one",
       [](S&) {
         std::string out = headersFrame(kEndStream, 1, plainBlock().substr(0, 5));
         out += frame(kContinuation, 0, 1, plainBlock().substr(5, 7));
         return out + frame(kContinuation, kEndHeaders, 1, plainBlock().substr(12));
       },
       ok("HEADERS 1 ES")},
      {"6.10", "CONTINUATION on stream 0",
       [](S&) { return headersFrame(0, 1, plainBlock()) + frame(kContinuation, kEndHeaders, 0, ""); },
       connectionError(kProtocol)},
      {"6.10", "CONTINUATION of another stream",
       [](S&) { return headersFrame(0, 1, plainBlock()) + frame(kContinuation, kEndHeaders, 3, ""); },
       connectionError(kProtocol)},
      {"6.10", "CONTINUATION behind a whole block",
       [](S& s) { return s.post(1) + frame(kContinuation, kEndHeaders, 1, plainBlock()); }, connectionError(kProtocol)},
      // --- 8: messages
      {"8.1", "a second head without END_STREAM",
       [](S& s) {
         return s.post(1) + s.request(1, {{"x", "y"}}, false);
       },
       streamError(kProtocol)},
      {"8.1", "pseudo-header fields in trailers",
       [](S& s) {
         return s.post(1) + s.request(1, {{":method", "GET"}});
       },
       streamError(kProtocol)},
      request("8.1.1", "END_STREAM with a content-length above 0", head("", {{"content-length", "1"}}),
              streamError(kProtocol)),
      {"8.1.1", "less DATA than content-length says",
       [](S& s) {
         return s.post(1, {{"content-length", "3"}}) + data(1, "ab", true);
       },
       streamError(kProtocol)},
      {"8.1.1", "more DATA than content-length says",
       [](S& s) {
         return s.post(1, {{"content-length", "3"}}) + data(1, "abcd");
       },
       streamError(kProtocol)},
      {"8.1.1", "less DATA in front of trailers than content-length says",
       [](S& s) {
         return s.post(1, {{"content-length", "3"}}) + data(1, "ab") + s.request(1, {{"x", "y"}});
       },
       streamError(kProtocol)},
      request("8.1.1", "two content-lengths", head("", {{"content-length", "0"}, {"content-length", "0"}}),
              streamError(kProtocol)),
      request("8.1.1", "a content-length that is no number", head("", {{"content-length", "+0"}}),
              streamError(kProtocol)),
      request("8.2", "an upper-case name", head("", {{"X-Up", "1"}}), streamError(kProtocol)),
      request("8.2.1", "an empty name", head("", {{"", "1"}}), streamError(kProtocol)),
      request("8.2.1", "a space in a name", head("", {{"a b", "1"}}), streamError(kProtocol)),
      request("8.2.1", "a colon in a name", head("", {{"a:b", "1"}}), streamError(kProtocol)),
      request("8.2.1", "a byte above 0x7e in a name", head("", {{"a\xff", "1"}}), streamError(kProtocol)),
      request("8.2.1", "CR in a value", head("", {{"a", "b\rc"}}), streamError(kProtocol)),
      request("8.2.1", "LF in a value", head("", {{"a", "b\nc"}}), streamError(kProtocol)),
      request("8.2.1", "NUL in a value", head("", {{"a", std::string("b\0c", 3)}}), streamError(kProtocol)),
      request("8.2.1", "a value that begins with a space", head("", {{"a", " b"}}), streamError(kProtocol)),
      request("8.2.1", "a value that ends with a tab", head("", {{"a", "b\t"}}), streamError(kProtocol)),
      request("8.2.1", "obs-text is passed on", head("", {{"a", "\xc3\xa9"}}), ok("HEADERS 1 ES")),
      request("8.2.2", "connection", head("", {{"connection", "close"}}), streamError(kProtocol)),
      request("8.2.2", "keep-alive", head("", {{"keep-alive", "1"}}), streamError(kProtocol)),
      request("8.2.2", "proxy-connection", head("", {{"proxy-connection", "x"}}), streamError(kProtocol)),
      request("8.2.2", "transfer-encoding", head("", {{"transfer-encoding", "chunked"}}), streamError(kProtocol)),
      request("8.2.2", "upgrade", head("", {{"upgrade", "h2c"}}), streamError(kProtocol)),
      request("8.2.2", "te other than trailers", head("", {{"te", "gzip"}}), streamError(kProtocol)),
      request("8.2.2", "te: trailers", head("", {{"te", "trailers"}}), ok("HEADERS 1 ES")),
      request("8.3", "an unknown pseudo-header field", head("", {{":x", "1"}}), streamError(kProtocol)),
      request("8.3", "a response's pseudo-header field", head("", {{":status", "200"}}), streamError(kProtocol)),
      request("8.3", "a pseudo-header field behind a field", head(":path", {{"a", "b"}, {":path", "/"}}),
              streamError(kProtocol)),
      request("8.3.1", "no :method", head(":method"), streamError(kProtocol)),
      request("8.3.1", "no :scheme", head(":scheme"), streamError(kProtocol)),
      request("8.3.1", "no :path", head(":path"), streamError(kProtocol)),
      request("8.3.1", "neither :authority nor host", head(":authority"), streamError(kProtocol)),
      request("8.3.1", "host stands for :authority", head(":authority", {{"host", "a"}}), ok("HEADERS 1 ES")),
      request("8.3.1", "host other than :authority", head("", {{"host", "b"}}), streamError(kProtocol)),
      request("8.3.1", "two hosts", head("", {{"host", "a"}, {"host", "a"}}), streamError(kProtocol)),
      request("8.3.1", "an empty :path", head(":path", {{":path", ""}}), streamError(kProtocol)),
      request("8.3.1", "a :path that does not begin with a slash", head(":path", {{":path", "a"}}),
              streamError(kProtocol)),
      request("8.3.1", "a space in :path", head(":path", {{":path", "/a b"}}), streamError(kProtocol)),
      request("8.3.1", "a fragment in :path", head(":path", {{":path", "/a#b"}}), streamError(kProtocol)),
      request("8.3.1", "user information in :authority", head(":authority", {{":authority", "u@a"}}),
              streamError(kProtocol)),
      request("8.3.1", "the asterisk is for OPTIONS", head(":path", {{":path", "*"}}), streamError(kProtocol)),
      request("8.3.1", "two :method", head("", {{":method", "GET"}}), streamError(kProtocol)),
      request("8.3.1", "two :path", head("", {{":path", "/"}}), streamError(kProtocol)),
      request("8.3.1", "two :scheme", head("", {{":scheme", "https"}}), streamError(kProtocol)),
      request("8.3.1", "two :authority", head("", {{":authority", "a"}}), streamError(kProtocol)),
      request("8.3.1", "a space in :method", head(":method", {{":method", "GET "}}), streamError(kProtocol)),
      request("8.5", "CONNECT with :path", head(":method", {{":method", "CONNECT"}}), streamError(kProtocol)),
      request("8.5", "CONNECT without :authority", {{":method", "CONNECT"}}, streamError(kProtocol)),
      request("8.5", "CONNECT without a port", {{":method", "CONNECT"}, {":authority", "a"}}, streamError(kProtocol)),
      request("8441", ":protocol without CONNECT", head("", {{":protocol", "websocket"}}), streamError(kProtocol)),
      request("8441", "extended CONNECT without :path",
              {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "a"}},
              streamError(kProtocol)),
      // --- RFC 7541
      rawBlock("6.1: index 0", "\x80"),
      rawBlock("2.3.3: an index beyond both tables", "\xff\x20"),
      rawBlock("4.2: a table size update behind a field", plainBlock() + "\x20"),
      rawBlock("6.3: a table size above SETTINGS_HEADER_TABLE_SIZE", "\x3f\xe2\x1f"),
      rawBlock("5.1: an integer that does not end", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f"),
      rawBlock("5.2: a block that ends in a text", std::string("\x00\x05"
                                                               "ab",
                                                               4)),
      rawBlock("5.2: Huffman padding longer than 7 bits", std::string("\x00\x01"
                                                                      "a\x81\xff",
                                                                      5)),
      rawBlock("5.2: Huffman padding that is not of ones", std::string("\x00\x01"
                                                                       "a\x81\x00",
                                                                       5)),
      rawBlock("5.2: the EOS symbol in a Huffman text", std::string("\x00\x01"
                                                                    "a\x84\xff\xff\xff\xff",
                                                                    8)),
  };
}

TEST_CASE("a server keeps to RFC 9113 and RFC 7541") {
  for (const ServerCase& row : serverCases()) {
    for (const bool bytewise : {false, true}) {
      TestServer server;
      server.answers = true;
      if (row.settled) server.settle();
      const std::string bytes = row.bytes(server);
      check(row, server, bytes, bytewise);
    }
  }
}

}  // namespace
}  // namespace sluice::http::h2
