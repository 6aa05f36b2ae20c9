// REST in front of gRPC: a request that a method takes goes on as gRPC, its answer comes back as JSON.
// (proto: envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/route/filter_slots.h"
#include "source/transcoding/grpc_frames.h"
#include "source/transcoding/json_stream.h"
#include "source/transcoding/transcoder.h"

namespace sluice::extensions::http_filters::grpc_json_transcoder {

// How messages of a stream follow each other.
enum class StreamStyle : uint8_t { kArray, kLines, kEvents };

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::shared_ptr<const transcoding::Transcoder> transcoder;  // null: there are no services
  bool keep_route = false;
  bool convert_status = false;
  bool reject_unknown_method = false;
  bool reject_unknown_parameters = false;
  StreamStyle stream_style = StreamStyle::kArray;
  uint32_t max_request = 1 << 20;  // bytes of a body, or of a message of a stream
  uint32_t max_response = 1 << 20;
};

using RouteSettings = route::RouteSettings<Settings>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(&settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  std::optional<filter::Reply> match(const http::RequestHeaders& headers, filter::Context& context);
  void rewrite(http::RequestHeaders& headers, filter::Context& context);
  // The gRPC frame of a body, or of an element of it.
  absl::StatusOr<std::string> encode(std::string_view body, bool with_bindings) const;
  // Appends the frames of what completes; the error is the client's.
  absl::Status encodeStream(std::string_view bytes, bool end, std::string& out);
  // An answer to a client that does not speak gRPC.
  filter::Reply refusal(const absl::Status& why, bool early, filter::Context& context) const;
  filter::Reply badAnswer(std::string_view why) const;
  // The head has become one of gRPC; an answer that is made here is for who asked, who does not speak it.
  void restoreType(http::RequestHeaders& headers) const;

  // What is left of gRPC's fields in a response's head, and in its trailers.
  void finishUnary(http::ResponseHeaders& headers, int status, filter::Context& context, std::string& body);
  void appendMessage(std::string json, std::string& out);
  std::string streamEnd();
  std::string_view streamType() const;
  // False: the bytes are not what they should be.
  bool decodeStream(std::string_view bytes, std::string& out);

  const Settings* settings_;               // the route's or the filter's
  std::optional<transcoding::Call> call_;  // none: the request goes as it is
  std::string_view content_type_;          // of the request as it came, in the arena
  bool streams_request_ = false;
  bool streams_response_ = false;
  bool sent_message_ = false;
  bool received_message_ = false;
  std::optional<transcoding::JsonArray> array_;
  std::optional<transcoding::GrpcFrames> frames_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::grpc_json_transcoder
