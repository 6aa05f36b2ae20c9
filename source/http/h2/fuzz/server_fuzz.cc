// Frames that a client may send, behind its preface: whatever they are, the owner hears each stream in order, the
// answers are whole frames, and no more than the owner gave is held.
#include "source/http/h2/fuzz/owner.h"

namespace sluice::http::h2 {
namespace {

class Owner final : public ServerEvents, public ScriptedOwner<RequestHeaders> {
 public:
  Owner(const CodecLimits& limits, const Http2Settings& settings, uint32_t seed)
      : ScriptedOwner(seed), codec(makeServerCodec(*this, sink, limits, settings)) {}

  RequestHeaders& beginRequest(StreamId stream) override {
    require(heard.count(stream) == 0, "a stream begins once");
    heard[stream] = {};
    message_[stream] = std::make_unique<Message<RequestHeaders>>();
    return message_[stream]->head;
  }
  void onRequestHeaders(StreamId stream, bool end, bool) override {
    heardHead(heard.at(stream), end);
    const RequestHeaders& head = message_[stream]->head;
    checkFields(head);
    require(!head.method.empty() && !head.authority.empty(), "a request has a method and an authority");
    require(head.method == "CONNECT" || !head.path.empty(), "a request has a path");
    act(stream);
  }
  void onRequestData(StreamId stream, std::string_view data, bool end) override {
    heardBody(heard.at(stream), end);
    if (script_.next(2) != 0) codec->consumed(stream, data.size());
    act(stream);
  }
  Trailers& beginRequestTrailers(StreamId stream) override { return message_.at(stream)->trailers; }
  void onRequestTrailers(StreamId stream) override {
    heardBody(heard.at(stream), true);
    checkFields(message_[stream]->trailers);
    act(stream);
  }
  void onRequestReset(StreamId stream, ResetReason) override { heardReset(heard.at(stream)); }
  void onSendProgress(StreamId stream) override { act(stream); }

  void act(StreamId stream) {
    switch (script_.next(8)) {
      case 0:
        return codec->reset(stream, ResetReason::kLocal);
      case 1:
        return reply(stream, 200, true);
      case 2:
        return reply(stream, 101, false);
      case 3:
        codec->sendData(stream, std::string(script_.next(3000), 'x'), script_.next(2) != 0);
        return;
      case 4:
        return sendTrailers(*codec, stream);
      case 5:
        if (script_.next(16) == 0) codec->drain();
        codec->endLingering(script_.next(4) == 0);
        return;
      default:
        return reply(stream, 200, false);
    }
  }

  std::unique_ptr<ServerCodec> codec;

 private:
  void reply(StreamId stream, uint16_t status, bool end) {
    base::Arena arena;
    ResponseHeaders head(arena);
    head.status = status;
    head.add("x", "y");
    codec->sendHeaders(stream, head, end);
  }
};

}  // namespace
}  // namespace sluice::http::h2

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::http::h2;
  if (size < 2 || size > 100000) return 0;
  sluice::http::CodecLimits limits;
  sluice::http::Http2Settings settings;
  limits.allow_upgrades = data[0] & 1;
  settings.allow_connect = data[0] & 2;
  limits.enable_trailers = !(data[0] & 4);
  if (data[0] & 8) limits.max_header_bytes = 100;
  if (data[0] & 16) limits.max_header_count = 2;
  if (data[0] & 32) settings.initial_stream_window = 65535;
  std::string unknown;
  if (data[1] & 128)
    require(sluice::http::parseStrictRules("all", limits.report_only, unknown), "all rules have a name");
  Owner owner(limits, settings, data[1]);
  std::string bytes = (data[0] & 64 ? std::string() : magic() + frame(kSettings, 0, 0, {}));
  bytes.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  play(owner, bytes, data[1], data[0] & 128,
       [&] { require(owner.codec->shouldClose(), "a connection closes behind an error"); });
  return 0;
}
