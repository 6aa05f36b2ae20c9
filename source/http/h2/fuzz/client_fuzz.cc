// Frames that a server may send to a client with a few requests out: the owner hears each stream in order, and what the
// client writes is whole frames.
#include "source/http/h2/fuzz/owner.h"

namespace sluice::http::h2 {
namespace {

class Owner final : public ClientEvents, public ScriptedOwner<ResponseHeaders> {
 public:
  explicit Owner(uint32_t seed, const CodecLimits& limits)
      : ScriptedOwner(seed), codec(makeClientCodec(*this, sink, limits, {})) {
    for (int i = 0; i < 4; ++i) send();
  }

  ResponseHeaders& beginResponse(StreamId stream) override {
    message_[stream] = std::make_unique<Message<ResponseHeaders>>();
    return message_[stream]->head;
  }
  void onInformational(StreamId stream) override {
    require(!heard[stream].head, "informational heads come in front of the final one");
    require(message_[stream]->head.status < 200 && message_[stream]->head.status != 101, "what is informational");
  }
  void onResponseHeaders(StreamId stream, bool end) override {
    heardHead(heard[stream], end);
    checkFields(message_[stream]->head);
    require(message_[stream]->head.status >= 101, "a final head has a status");
  }
  void onResponseData(StreamId stream, std::string_view data, bool end) override {
    heardBody(heard[stream], end);
    if (script_.next(2) != 0) codec->consumed(stream, data.size());
    act(stream);
  }
  Trailers& beginResponseTrailers(StreamId stream) override { return message_.at(stream)->trailers; }
  void onResponseTrailers(StreamId stream) override {
    heardBody(heard[stream], true);
    checkFields(message_[stream]->trailers);
  }
  void onResponseReset(StreamId stream, ResetReason) override {
    heardReset(heard[stream]);
    if (script_.next(2) != 0 && heard.size() < 100) send();
  }
  void onSendProgress(StreamId stream) override { act(stream); }

  void send() {
    base::Arena arena;
    RequestHeaders head(arena);
    const uint32_t kind = script_.next(5);
    head.method = kind == 0 ? "HEAD" : kind == 1 ? "CONNECT" : "POST";
    head.path = kind == 1 ? "" : "/";
    head.authority = "a";
    if (kind == 2 && codec->upgrades() == ClientCodec::Upgrades::kTaken) head.upgrade = "websocket";
    const uint32_t free = codec->freeStreams();
    const StreamId id = codec->sendHeaders(head, kind == 0);
    require((id == 0) == (free == 0), "a stream starts where one is free");
    if (id != 0) heard[id] = {};
  }
  void act(StreamId stream) {
    switch (script_.next(6)) {
      case 0:
        return codec->reset(stream, ResetReason::kLocal);
      case 1:
        return sendTrailers(*codec, stream);
      default:
        return codec->sendData(stream, std::string(script_.next(3000), 'x'), script_.next(4) == 0);
    }
  }

  std::unique_ptr<ClientCodec> codec;
};

}  // namespace
}  // namespace sluice::http::h2

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::http::h2;
  if (size < 2 || size > 100000) return 0;
  sluice::http::CodecLimits limits;
  limits.enable_trailers = !(data[0] & 1);
  if (data[0] & 2) limits.max_header_bytes = 100;
  Owner owner(data[1], limits);
  std::string bytes = data[0] & 4 ? std::string() : settings(data[0] & 8 ? setting(4, 10) : setting(8, 1));
  bytes.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  play(owner, bytes, data[1], data[0] & 128,
       [&] { require(!owner.codec->reusable(), "nothing starts behind an error"); });
  return 0;
}
