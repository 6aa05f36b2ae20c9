#include "source/extensions/filters/http/ext_authz/client.h"

#include <algorithm>
#include <charconv>

#include "envoy/service/auth/v3/external_auth.pb.h"
#include "source/base/utf8.h"
#include "source/filter/check_attributes.h"
#include "source/filter/metadata_struct.h"

namespace sluice::extensions::http_filters::ext_authz {
namespace {

namespace v3 = envoy::service::auth::v3;
using http::Field;
using http::Name;

// As a map of texts, or as they are.
void addHeader(bool raw, v3::AttributeContext::HttpRequest& http, std::string_view name, std::string_view value) {
  if (raw) {
    auto& header = *http.mutable_header_map()->add_headers();
    header.set_key(std::string(name));
    header.set_raw_value(std::string(value));
    return;
  }
  const auto [entry, added] = http.mutable_headers()->insert({std::string(name), base::asUtf8(value)});
  if (!added) entry->second.append(name == "cookie" ? "; " : ",").append(base::asUtf8(value));
}

int64_t sizeOf(const http::RequestHeaders& request) {
  int64_t size = -1;
  if (const auto length = request.get(Name::kContentLength)) {
    std::from_chars(length->data(), length->data() + length->size(), size);
  }
  return size;
}

std::string_view nameOf(std::string_view parameter) {
  return parameter.substr(0, parameter.find('='));
}

}  // namespace

std::string encodeCheck(const CheckInput& input) {
  const http::RequestHeaders& request = input.request;
  v3::CheckRequest out;
  v3::AttributeContext& attributes = *out.mutable_attributes();
  filter::writeConnection(input.info, input.told, attributes);
  const auto since = input.info.start_time.time_since_epoch();
  auto& time = *attributes.mutable_request()->mutable_time();
  time.set_seconds(std::chrono::duration_cast<std::chrono::seconds>(since).count());
  time.set_nanos(static_cast<int32_t>((since % std::chrono::seconds(1)) / std::chrono::nanoseconds(1)));
  v3::AttributeContext::HttpRequest& http = *attributes.mutable_request()->mutable_http();
  http.set_id(base::asUtf8(input.info.request_id));
  http.set_method(std::string(request.method));
  if (!request.path.empty()) http.set_path(base::asUtf8(request.path));  // CONNECT has none
  http.set_host(base::asUtf8(request.authority));
  http.set_scheme(std::string(request.scheme));
  http.set_size(sizeOf(request));
  http.set_protocol(std::string(http::textOf(request.protocol)));
  const auto add = [&](std::string_view name, std::string_view value) {
    addHeader(input.raw_headers, http, name, value);
  };
  add(":method", request.method);
  if (!request.path.empty()) add(":path", request.path);
  add(":authority", request.authority);
  if (!request.scheme.empty()) add(":scheme", request.scheme);
  for (const Field& field : request) {
    if (input.disallowed.matches(field.name)) continue;
    if (input.allowed.empty() || input.allowed.matches(field.name)) add(field.name, field.value);
  }
  if (!input.body_as_bytes && base::isUtf8(input.body)) {
    http.set_body(std::string(input.body));
  } else {
    http.set_raw_body(std::string(input.body));
  }
  if (input.context_extensions != nullptr) {
    attributes.mutable_context_extensions()->insert(input.context_extensions->begin(), input.context_extensions->end());
  }
  filter::writeNamespaces(input.route_metadata, input.route_namespaces,
                          [&] { return attributes.mutable_route_metadata_context(); });
  return out.SerializeAsString();
}

std::optional<Decision> decodeCheck(std::string_view message) {
  v3::CheckResponse proto;
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) return std::nullopt;
  Decision out;
  out.allowed = proto.status().code() == 0;
  if (out.allowed) {
    // A refusal that calls itself OK is no permission.
    if (proto.has_denied_response() || proto.has_error_response()) return std::nullopt;
    const v3::OkHttpResponse& ok = proto.ok_response();
    out.request_headers.read(ok.headers());
    out.request_headers.remove.assign(ok.headers_to_remove().begin(), ok.headers_to_remove().end());
    out.response_headers.read(ok.response_headers_to_add());
    for (const auto& parameter : ok.query_parameters_to_set()) {
      out.query_set.emplace_back(parameter.key(), parameter.value());
    }
    out.query_remove.assign(ok.query_parameters_to_remove().begin(), ok.query_parameters_to_remove().end());
    out.metadata = filter::readStruct(proto.has_dynamic_metadata() ? proto.dynamic_metadata() : ok.dynamic_metadata());
    return out;
  }
  out.metadata = filter::readStruct(proto.dynamic_metadata());
  out.failed = proto.has_error_response();
  if (out.failed) out.status = 0;
  const v3::DeniedHttpResponse& denied = out.failed ? proto.error_response() : proto.denied_response();
  const int status = denied.status().code();
  if (status >= 200 && status <= 599) out.status = static_cast<uint16_t>(status);
  out.response_headers.read(denied.headers());
  out.body = denied.body();
  return out;
}

std::string withQuery(std::string_view path, const Decision& decision) {
  const size_t question = path.find('?');
  std::string out(path.substr(0, question));
  char separator = '?';
  const auto add = [&](std::string_view name, std::string_view rest) {
    out += separator;
    out.append(name).append(rest);
    separator = '&';
  };
  std::string_view query = question == std::string_view::npos ? std::string_view() : path.substr(question + 1);
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    const std::string_view name = nameOf(parameter);
    const auto named = [name](const auto& other) { return other == name; };
    const auto set = [name](const auto& other) { return other.first == name; };
    if (std::any_of(decision.query_remove.begin(), decision.query_remove.end(), named)) continue;
    if (std::any_of(decision.query_set.begin(), decision.query_set.end(), set)) continue;
    if (!parameter.empty()) add(parameter, {});
  }
  for (const auto& [name, value] : decision.query_set) add(name, "=" + value);
  return out;
}

}  // namespace sluice::extensions::http_filters::ext_authz
