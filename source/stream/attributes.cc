#include "source/stream/attributes.h"

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/host_port.h"
#include "source/http/grpc.h"
#include "source/http/query.h"
#include "source/stream/attribute_maps.h"
#include "source/stream/grpc_status.h"

namespace sluice::stream {
namespace {

using match::cel::Memory;
using match::cel::Time;
using Value = match::cel::Value;
using Kind = Value::Kind;
using Found = std::optional<Value>;
using Context = FormatContext;
using Info = StreamInfo;
using Request = http::RequestHeaders;

// --- values ----------------------------------------------------------------------------------------------------------

Found text(std::string_view value) {
  return value.empty() ? Found() : Value::string(value);
}
Found text(std::optional<std::string_view> value) {
  return value ? Found(Value::string(*value)) : Found();
}
Found text(const std::string& value) {
  return text(std::string_view(value));
}
Found bytesCounted(uint64_t count) {
  return Value::integer(static_cast<int64_t>(count));
}

Time timeOf(std::chrono::nanoseconds value) {
  constexpr int64_t kNanos = 1'000'000'000;
  const int64_t count = value.count();
  const int64_t seconds = count / kNanos - (count % kNanos < 0 ? 1 : 0);
  return {seconds, static_cast<int32_t>(count - seconds * kNanos)};
}

Found span(Info::Offset from, Info::Offset to) {
  if (from.count() < 0 || to < from) return std::nullopt;
  return Value::duration(timeOf(to - from));
}

Found portOf(std::string_view address) {
  if (base::isAddressWithoutPort(address)) return std::nullopt;
  const std::string_view port = base::splitHostPort(address).port;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return Value::integer(number);
}

// --- request ---------------------------------------------------------------------------------------------------------

template <std::string_view Request::*kMember>
Found ofRequest(const Context& context, Memory&) {
  return context.request == nullptr ? Found() : text(context.request->*kMember);
}

template <http::Name kName>
Found requestField(const Context& context, Memory&) {
  return context.request == nullptr ? Found() : text(context.request->get(kName));
}

Found urlPath(const Context& context, Memory&) {
  return context.request == nullptr ? Found() : text(context.request->pathOnly());
}

// Empty where there is none.
Found query(const Context& context, Memory&) {
  if (context.request == nullptr) return std::nullopt;
  const std::string_view query = http::queryOf(context.request->path).value_or("");
  return Value::string(query.substr(0, query.find('#')));
}

Found requestHeaders(const Context& context, Memory& memory) {
  if (context.request == nullptr) return std::nullopt;
  return Value::map(memory.make<HeaderMap>(*context.request, context.request));
}

Found protocol(const Context& context, Memory&) {
  return context.info.has_protocol ? text(http::textOf(context.info.protocol)) : Found();
}

Found startTime(const Context& context, Memory&) {
  return Value::timestamp(timeOf(context.info.start_time.time_since_epoch()));
}

Found requestId(const Context& context, Memory& memory) {
  return context.info.request_id.empty() ? requestField<http::Name::kXRequestId>(context, memory)
                                         : text(context.info.request_id);
}

Found requestDuration(const Context& context, Memory&) {
  return span(Info::Offset(0), context.info.response_end);
}

// What the client says it is, where it says so: known before the body has come.
Found requestSize(const Context& context, Memory&) {
  const auto said = context.request == nullptr ? std::nullopt : context.request->get(http::Name::kContentLength);
  if (!said) return bytesCounted(context.info.bytes_received);
  int64_t size = 0;
  const auto [end, error] = std::from_chars(said->data(), said->data() + said->size(), size);
  if (error != std::errc() || end != said->data() + said->size()) return std::nullopt;
  return Value::integer(size);
}

Found requestTotalSize(const Context& context, Memory&) {
  return bytesCounted(context.info.bytes_received + context.info.request_header_bytes);
}

// --- response --------------------------------------------------------------------------------------------------------

Found responseCode(const Context& context, Memory&) {
  return context.info.response_code == 0 ? Found() : Value::integer(context.info.response_code);
}

Found responseFlags(const Context& context, Memory&) {
  return Value::integer(context.info.response_flags.bits());
}

Found grpcStatus(const Context& context, Memory&) {
  const std::optional<std::string_view> sent = grpcStatusSent(context);
  const int status = sent ? http::grpc::parseStatus(*sent) : grpcStatusInstead(context);
  return status < 0 ? Found() : Value::integer(status);
}

Found responseHeaders(const Context& context, Memory& memory) {
  if (context.response == nullptr) return std::nullopt;
  return Value::map(memory.make<HeaderMap>(*context.response, nullptr));
}

Found responseTrailers(const Context& context, Memory& memory) {
  if (context.trailers == nullptr) return std::nullopt;
  return Value::map(memory.make<HeaderMap>(*context.trailers, nullptr));
}

Found responseTotalSize(const Context& context, Memory&) {
  const Info& info = context.info;
  return bytesCounted(info.bytes_sent + info.response_header_bytes + info.response_trailer_bytes);
}

Found backendLatency(const Context& context, Memory&) {
  return span(context.info.upstream_request_start, context.info.upstream_response_end);
}

// --- members of StreamInfo -------------------------------------------------------------------------------------------

template <std::string_view Info::*kMember>
Found ofInfo(const Context& context, Memory&) {
  return text(context.info.*kMember);
}

template <std::string_view Info::*kMember>
Found ofInfoPort(const Context& context, Memory&) {
  return portOf(context.info.*kMember);
}

template <uint64_t Info::*kMember>
Found count(const Context& context, Memory&) {
  return bytesCounted(context.info.*kMember);
}

Found connectionId(const Context& context, Memory&) {
  return Value::unsignedInteger(context.info.connection_id);
}

// Empty where there is none.
Found serverName(const Context& context, Memory&) {
  return Value::string(context.info.requested_server_name);
}

Found attemptCount(const Context& context, Memory&) {
  return Value::unsignedInteger(context.info.attempt_count);
}

// --- TLS -------------------------------------------------------------------------------------------------------------

using Tls = net::TlsInfo;
using Certificate = Tls::Certificate;
using WhichTls = const Tls* (*)(const Context&);

const Tls* downstream(const Context& context) {
  return context.info.downstreamTls();
}
const Tls* upstream(const Context& context) {
  return context.info.upstream_tls ? &context.info.upstream_tls->info : nullptr;
}

Found mtls(const Context& context, Memory&) {
  const Tls* tls = downstream(context);
  return Value::boolean(tls != nullptr && tls->peer_presented);
}

template <WhichTls kTls>
Found tlsVersion(const Context& context, Memory&) {
  const Tls* tls = kTls(context);
  return tls == nullptr ? Found() : text(tls->version);
}

// Empty where there is no certificate.
template <WhichTls kTls, Certificate Tls::*kSide>
Found subject(const Context& context, Memory&) {
  const Tls* tls = kTls(context);
  return tls == nullptr ? Found() : Value::string((tls->*kSide).subject);
}

template <WhichTls kTls, std::string Certificate::*kMember>
Found ofPeer(const Context& context, Memory&) {
  const Tls* tls = kTls(context);
  return tls == nullptr ? Found() : text(tls->peer.*kMember);
}

template <WhichTls kTls, Certificate Tls::*kSide, std::vector<std::string> Certificate::*kNames>
Found firstSan(const Context& context, Memory&) {
  const Tls* tls = kTls(context);
  return tls == nullptr || ((tls->*kSide).*kNames).empty() ? Found() : text(((tls->*kSide).*kNames).front());
}

// --- metadata and filter state ---------------------------------------------------------------------------------------

Found metadataOf(const MetadataFields* fields, Memory& memory) {
  return fields == nullptr ? Found() : Value::map(memory.make<MetadataMap>(*fields));
}

// There is always one; it may be empty.
Found dynamicMetadata(const Context& context, Memory& memory) {
  static const MetadataFields kNone;
  return metadataOf(context.info.dynamic_metadata ? &context.info.dynamic_metadata->fields() : &kNone, memory);
}

Found filterState(const Context& context, Memory& memory) {
  static const FilterState kNone;
  return Value::map(memory.make<StateMap>(context.info.filter_state ? *context.info.filter_state : kNone));
}

template <const MetadataFields* Info::*kMember>
Found ofConfig(const Context& context, Memory& memory) {
  return metadataOf(context.info.*kMember, memory);
}

Found listenerMetadata(const Context& context, Memory& memory) {
  return metadataOf(context.info.acceptedMetadata(&ListenerMetadata::listener), memory);
}

template <FixedMetadata Info::UpstreamMetadata::*kWhich>
Found upstreamMetadata(const Context& context, Memory& memory) {
  const auto& metadata = context.info.upstream_metadata;
  return metadata ? metadataOf((*metadata.*kWhich).fields(), memory) : Found();
}

// --- table -----------------------------------------------------------------------------------------------------------

struct Row {
  std::string_view name;
  Kind kind;
  Found (*read)(const Context& context, Memory& memory);
};

constexpr Row kRows[] = {
    {"request.path", Kind::kString, ofRequest<&Request::path>},
    {"request.url_path", Kind::kString, urlPath},
    {"request.host", Kind::kString, ofRequest<&Request::authority>},
    {"request.scheme", Kind::kString, ofRequest<&Request::scheme>},
    {"request.method", Kind::kString, ofRequest<&Request::method>},
    {"request.headers", Kind::kMap, requestHeaders},
    {"request.headers_bytes", Kind::kInt, count<&Info::request_header_bytes>},
    {"request.referer", Kind::kString, requestField<http::Name::kReferer>},
    {"request.useragent", Kind::kString, requestField<http::Name::kUserAgent>},
    {"request.time", Kind::kTimestamp, startTime},
    {"request.id", Kind::kString, requestId},
    {"request.protocol", Kind::kString, protocol},
    {"request.query", Kind::kString, query},
    {"request.duration", Kind::kDuration, requestDuration},
    {"request.size", Kind::kInt, requestSize},
    {"request.total_size", Kind::kInt, requestTotalSize},
    {"response.code", Kind::kInt, responseCode},
    {"response.code_details", Kind::kString, ofInfo<&Info::response_code_details>},
    {"response.flags", Kind::kInt, responseFlags},
    {"response.grpc_status", Kind::kInt, grpcStatus},
    {"response.headers", Kind::kMap, responseHeaders},
    {"response.headers_bytes", Kind::kInt, count<&Info::response_header_bytes>},
    {"response.trailers", Kind::kMap, responseTrailers},
    {"response.size", Kind::kInt, count<&Info::bytes_sent>},
    {"response.total_size", Kind::kInt, responseTotalSize},
    {"response.backend_latency", Kind::kDuration, backendLatency},
    {"source.address", Kind::kString, ofInfo<&Info::downstream_remote_address>},
    {"source.port", Kind::kInt, ofInfoPort<&Info::downstream_remote_address>},
    {"destination.address", Kind::kString, ofInfo<&Info::downstream_local_address>},
    {"destination.port", Kind::kInt, ofInfoPort<&Info::downstream_local_address>},
    {"connection.id", Kind::kUint, connectionId},
    {"connection.mtls", Kind::kBool, mtls},
    {"connection.requested_server_name", Kind::kString, serverName},
    {"connection.tls_version", Kind::kString, tlsVersion<downstream>},
    {"connection.subject_local_certificate", Kind::kString, subject<downstream, &Tls::local>},
    {"connection.subject_peer_certificate", Kind::kString, subject<downstream, &Tls::peer>},
    {"connection.dns_san_local_certificate", Kind::kString, firstSan<downstream, &Tls::local, &Certificate::dns_sans>},
    {"connection.dns_san_peer_certificate", Kind::kString, firstSan<downstream, &Tls::peer, &Certificate::dns_sans>},
    {"connection.uri_san_local_certificate", Kind::kString, firstSan<downstream, &Tls::local, &Certificate::uri_sans>},
    {"connection.uri_san_peer_certificate", Kind::kString, firstSan<downstream, &Tls::peer, &Certificate::uri_sans>},
    {"connection.sha256_peer_certificate_digest", Kind::kString, ofPeer<downstream, &Certificate::sha256>},
    {"connection.peer_certificate", Kind::kString, ofPeer<downstream, &Certificate::pem>},
    {"connection.termination_details", Kind::kString, ofInfo<&Info::connection_termination_details>},
    {"connection.transport_failure_reason", Kind::kString, ofInfo<&Info::downstream_transport_failure_reason>},
    {"upstream.address", Kind::kString, ofInfo<&Info::upstream_host>},
    {"upstream.port", Kind::kInt, ofInfoPort<&Info::upstream_host>},
    {"upstream.local_address", Kind::kString, ofInfo<&Info::upstream_local_address>},
    {"upstream.tls_version", Kind::kString, tlsVersion<upstream>},
    {"upstream.subject_local_certificate", Kind::kString, subject<upstream, &Tls::local>},
    {"upstream.subject_peer_certificate", Kind::kString, subject<upstream, &Tls::peer>},
    {"upstream.dns_san_local_certificate", Kind::kString, firstSan<upstream, &Tls::local, &Certificate::dns_sans>},
    {"upstream.dns_san_peer_certificate", Kind::kString, firstSan<upstream, &Tls::peer, &Certificate::dns_sans>},
    {"upstream.uri_san_local_certificate", Kind::kString, firstSan<upstream, &Tls::local, &Certificate::uri_sans>},
    {"upstream.uri_san_peer_certificate", Kind::kString, firstSan<upstream, &Tls::peer, &Certificate::uri_sans>},
    {"upstream.sha256_peer_certificate_digest", Kind::kString, ofPeer<upstream, &Certificate::sha256>},
    {"upstream.peer_certificate", Kind::kString, ofPeer<upstream, &Certificate::pem>},
    {"upstream.transport_failure_reason", Kind::kString, ofInfo<&Info::upstream_transport_failure_reason>},
    {"upstream.request_attempt_count", Kind::kUint, attemptCount},
    {"metadata", Kind::kMap, dynamicMetadata},
    {"filter_state", Kind::kMap, filterState},
    {"xds.cluster_name", Kind::kString, ofInfo<&Info::upstream_cluster>},
    {"xds.cluster_metadata", Kind::kMap, upstreamMetadata<&Info::UpstreamMetadata::cluster>},
    {"xds.upstream_host_metadata", Kind::kMap, upstreamMetadata<&Info::UpstreamMetadata::host>},
    {"xds.route_name", Kind::kString, ofInfo<&Info::route_name>},
    {"xds.route_metadata", Kind::kMap, ofConfig<&Info::route_metadata>},
    {"xds.virtual_host_name", Kind::kString, ofInfo<&Info::virtual_host_name>},
    {"xds.virtual_host_metadata", Kind::kMap, ofConfig<&Info::virtual_host_metadata>},
    {"xds.filter_chain_name", Kind::kString, ofInfo<&Info::filter_chain_name>},
    {"xds.listener_metadata", Kind::kMap, listenerMetadata},
};

constexpr std::string_view kMissing[] = {
    "upstream.num_endpoints",
    "upstream.cx_pool_ready_duration",
    "upstream.locality",
    "upstream_filter_state",
    "xds.node",
    "xds.listener_direction",
    "xds.upstream_host_locality_metadata",
};

constexpr auto kNames = [] {
  std::array<match::cel::Attribute, std::size(kRows)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = {kRows[i].name, kRows[i].kind};
  return names;
}();

constexpr match::cel::Vocabulary kVocabulary{kNames, kMissing};

}  // namespace

const match::cel::Vocabulary& attributeNames() {
  return kVocabulary;
}

Found Attributes::attribute(uint16_t number, Memory& memory) const {
  return kRows[number].read(context_, memory);
}

}  // namespace sluice::stream
