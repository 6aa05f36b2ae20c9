#include "source/extensions/filters/http/connect_grpc_bridge/connect_error.h"

#include <map>
#include <vector>

#include "absl/strings/escaping.h"
#include "google/rpc/status.pb.h"
#include "source/http/grpc.h"
#include "source/transcoding/json_stream.h"

namespace sluice::extensions::http_filters::connect_grpc_bridge {
namespace {

namespace grpc = http::grpc;
using transcoding::appendJsonString;

// By grpc-status.
constexpr std::string_view kCodes[] = {
    "",          "canceled",       "unknown",           "invalid_argument",   "deadline_exceeded",
    "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
    "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
    "data_loss", "unauthenticated"};

std::string_view codeOf(int grpc_status) {
  const bool known = grpc_status > 0 && grpc_status <= grpc::kMaxStatus;
  return kCodes[known ? grpc_status : grpc::kUnknown];
}

// Base64 as Connect has it: without padding.
std::string unpadded(const std::string& bytes) {
  std::string out = absl::Base64Escape(bytes);
  while (!out.empty() && out.back() == '=') out.pop_back();
  return out;
}

void appendDetails(std::string& out, std::string_view details) {
  std::string bytes;
  google::rpc::Status status;
  if (!absl::Base64Unescape(absl::string_view(details.data(), details.size()), &bytes)) return;
  if (!status.ParseFromString(bytes) || status.details().empty()) return;
  out += ",\"details\":";
  char before = '[';
  for (const auto& detail : status.details()) {
    out += before;
    before = ',';
    out += "{\"type\":";
    const std::string& url = detail.type_url();
    appendJsonString(out, std::string_view(url).substr(url.rfind('/') + 1));
    out += ",\"value\":\"" + unpadded(detail.value()) + "\"}";
  }
  out += ']';
}

}  // namespace

std::string errorJson(int grpc_status, std::string_view message, std::string_view details) {
  std::string out = "{\"code\":";
  appendJsonString(out, codeOf(grpc_status));
  if (!message.empty()) {
    out += ",\"message\":";
    appendJsonString(out, message);
  }
  if (!details.empty()) appendDetails(out, details);
  return out + "}";
}

bool isGrpcField(const http::Field& field) {
  return field.name == "grpc-status" || field.name == "grpc-message" || field.name == "grpc-status-details-bin";
}

std::string endOfStreamJson(int status, const http::HeaderList& fields, bool with_metadata) {
  std::string out = "{";
  if (status != grpc::kOk) {
    out += "\"error\":";
    out += errorJson(status, grpc::decodeMessage(fields.get("grpc-message").value_or("")),
                     fields.get("grpc-status-details-bin").value_or(""));
  }
  std::map<std::string_view, std::vector<std::string_view>> metadata;
  for (const http::Field& field : fields) {
    if (with_metadata && !isGrpcField(field)) metadata[field.name].push_back(field.value);
  }
  if (metadata.empty()) return out + "}";
  if (out.size() > 1) out += ',';
  out += "\"metadata\":";
  char before = '{';
  for (const auto& [name, values] : metadata) {
    out += before;
    before = ',';
    appendJsonString(out, name);
    char first = '[';
    out += ':';
    for (const std::string_view value : values) {
      out += first;
      first = ',';
      appendJsonString(out, value);
    }
    out += ']';
  }
  return out + "}}";
}

}  // namespace sluice::extensions::http_filters::connect_grpc_bridge
