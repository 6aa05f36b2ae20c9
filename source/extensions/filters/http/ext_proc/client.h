// What the filter says to a processor and hears from it, without protobuf.
// (proto: envoy.service.ext_proc.v3.ProcessingRequest, ProcessingResponse)
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/filter/header_changes.h"
#include "source/http/headers.h"
#include "source/stream/stream_info.h"

namespace sluice::extensions::http_filters::ext_proc {

inline constexpr std::string_view kMethodPath = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";

enum class BodyMode : uint8_t { kNone, kStreamed, kBuffered, kBufferedPartial };

// What of an exchange the processor sees. (proto: ProcessingMode)
struct Mode {
  bool request_headers = true;
  bool response_headers = true;
  BodyMode request_body = BodyMode::kNone;
  BodyMode response_body = BodyMode::kNone;
  bool request_trailers = false;
  bool response_trailers = false;

  friend bool operator==(const Mode&, const Mode&) = default;
};

// Which headers the processor sees. (proto: HeaderForwardingRules)
struct ForwardRules {
  filter::NameMatcher allowed;  // empty: all
  filter::NameMatcher disallowed;

  bool allows(std::string_view name) const {
    return !disallowed.matches(name) && (allowed.empty() || allowed.matches(name));
  }
};

enum class Part : uint8_t { kHeaders, kBody, kTrailers };

// What every message tells besides its own part.
struct MessageContext {
  const ForwardRules& headers;
  const std::vector<std::string>& namespaces;  // of the dynamic metadata
  const stream::StreamInfo& info;
  stream::MetadataFields attributes = {};  // told with the first message of a direction
};

std::string encodeHeaders(const http::RequestHeaders& headers, const MessageContext& context, bool end_stream);
std::string encodeHeaders(const http::ResponseHeaders& headers, const MessageContext& context, bool end_stream);
std::string encodeBody(bool request, std::string_view body, const MessageContext& context, bool end_stream);
std::string encodeTrailers(bool request, const http::Trailers& trailers, const MessageContext& context);

struct Answer {
  enum class Kind : uint8_t { kRequest, kResponse, kImmediate, kMoreTime };
  Kind kind = Kind::kMoreTime;
  Part part = Part::kHeaders;  // of kRequest and kResponse
  filter::HeaderChanges headers;
  bool replaces_message = false;    // CONTINUE_AND_REPLACE
  std::optional<std::string> body;  // in the place of the one that was sent
  std::optional<Mode> mode;
  stream::MetadataFields metadata;  // by namespace
  std::chrono::milliseconds more_time{0};
  // kImmediate
  uint16_t status = 0;
  std::optional<int> grpc_status;
  std::string details;
};

// nullopt: it cannot be read, or has no meaning.
std::optional<Answer> decodeAnswer(std::string_view message);

}  // namespace sluice::extensions::http_filters::ext_proc
