#include "source/stream/format_operators.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <numeric>

#include "absl/strings/ascii.h"
#include "source/base/host_port.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/http/query.h"
#include "source/net/cidr.h"
#include "source/stream/chance.h"
#include "source/stream/format_arguments.h"
#include "source/stream/format_connection.h"
#include "source/stream/grpc_status.h"

namespace sluice::stream {
namespace {

using Operator = FormatOperator;
using Context = FormatContext;
using Scratch = FormatScratch;
using Value = FormatValue;
using Spelling = FormatOperator::Spelling;

// --- values ----------------------------------------------------------------------------------------------------------

Value text(std::string_view text) {
  return text.empty() ? Value{} : Value{Value::Kind::kText, text, 0, nullptr};
}
// A text that is kept in the scratch.
Value madeText(std::string made, size_t limit, Scratch& scratch) {
  scratch.made.value = std::move(made);
  return {Value::Kind::kText, std::string_view(std::get<std::string>(scratch.made.value)).substr(0, limit), 0, nullptr};
}
Value number(uint64_t number) {
  return {Value::Kind::kNumber, {}, number, nullptr};
}
Value text(std::optional<std::string_view> found, size_t limit) {
  if (!found) return {};
  return {Value::Kind::kText, found->substr(0, limit), 0, nullptr};
}

// "1.2.3.4:80" -> "1.2.3.4" and "80"; "[::1]:80" -> "::1" and "80"; a socket path has no port.
std::pair<std::string_view, std::string_view> splitAddress(std::string_view address) {
  if (base::isAddressWithoutPort(address)) return {address, {}};
  const base::HostPort parts = base::splitHostPort(address);
  return {parts.bareHost(), parts.port};
}

// With a prefix length, as the network of that many bits; what is no address of so many has none.
Value withoutPort(std::string_view address, const Operator& op, Scratch& scratch) {
  const std::string_view host = splitAddress(address).first;
  if (!op.prefix_length) return text(host);
  const std::optional<net::Cidr> network = net::Cidr::make(host, *op.prefix_length);
  return network ? madeText(network->toString(), std::string_view::npos, scratch) : Value{};
}

Value portOf(std::string_view address) {
  const std::string_view port = splitAddress(address).second;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) return {};
  return number(value);
}

// --- headers ---------------------------------------------------------------------------------------------------------

std::optional<std::string_view> fieldOf(const http::HeaderList& headers, const HeaderName& name) {
  return name.id == http::Name::kOther ? headers.get(std::string_view(name.lower)) : headers.get(name.id);
}

std::optional<std::string_view> pseudo(std::string_view value) {
  if (value.empty()) return std::nullopt;
  return value;
}

std::optional<std::string_view> requestHeader(const Context& context, const std::vector<HeaderName>& names) {
  if (context.request == nullptr) return std::nullopt;
  const http::RequestHeaders& request = *context.request;
  for (const HeaderName& name : names) {
    std::optional<std::string_view> found;
    switch (name.pseudo) {
      case HeaderName::Pseudo::kMethod:
        found = pseudo(request.method);
        break;
      case HeaderName::Pseudo::kPath:
        found = pseudo(request.path);
        break;
      case HeaderName::Pseudo::kAuthority:
        found = pseudo(request.authority);
        break;
      case HeaderName::Pseudo::kScheme:
        found = pseudo(request.scheme);
        break;
      case HeaderName::Pseudo::kStatus:
        break;
      case HeaderName::Pseudo::kNone:
        found = fieldOf(request, name);
        break;
    }
    if (found) return found;
  }
  return std::nullopt;
}

Value readRequestHeader(const Operator& op, const Context& context, Scratch&) {
  return text(requestHeader(context, op.headers), op.limit);
}

Value readRequestWithoutQuery(const Operator& op, const Context& context, Scratch&) {
  std::optional<std::string_view> found = requestHeader(context, op.headers);
  if (found) found = found->substr(0, found->find('?'));
  return text(found, op.limit);
}

Value readPath(const Operator& op, const Context& context, Scratch& scratch) {
  return op.style == 0 ? readRequestHeader(op, context, scratch) : readRequestWithoutQuery(op, context, scratch);
}

Value readQueryParameter(const Operator& op, const Context& context, Scratch& scratch) {
  if (context.request == nullptr) return {};
  const std::optional<std::string_view> found = http::queryParameterOf(context.request->path, op.text);
  return found ? madeText(base::percentDecoded(*found), op.limit, scratch) : Value{};
}

Value readQuery(const Operator& op, const Context& context, Scratch& scratch) {
  if (context.request == nullptr) return {};
  const std::optional<std::string_view> query = http::queryOf(context.request->path);
  if (!query || op.style == kOriginal) return text(query, op.limit);
  return madeText(base::percentDecoded(*query), op.limit, scratch);
}

Value readServerName(const Operator& op, const Context& context, Scratch&) {
  const std::string_view sni = context.info.requested_server_name;
  if (op.style == kSniOnly || (op.style == kSniFirst && !sni.empty())) return text(sni);
  const std::optional<std::string_view> host = requestHeader(context, op.headers);
  return host ? text(*host) : text(sni);
}

Value readResponseHeader(const Operator& op, const Context& context, Scratch& scratch) {
  if (context.response == nullptr) return {};
  for (const HeaderName& name : op.headers) {
    if (name.pseudo == HeaderName::Pseudo::kStatus) {
      if (context.response->status == 0) continue;
      char* const begin = scratch.bytes.data();
      char* const end = std::to_chars(begin, begin + 8, context.response->status).ptr;
      return text(std::string_view(begin, end - begin), op.limit);
    }
    if (const auto found = fieldOf(*context.response, name)) return text(found, op.limit);
  }
  return {};
}

Value readTrailer(const Operator& op, const Context& context, Scratch&) {
  if (context.trailers == nullptr) return {};
  for (const HeaderName& name : op.headers) {
    if (const auto found = fieldOf(*context.trailers, name)) return text(found, op.limit);
  }
  return {};
}

struct GrpcStatus {
  std::string_view camel, snake;
};
constexpr std::array<GrpcStatus, 17> kGrpcStatuses = {{
    {"OK", "OK"},
    {"Canceled", "CANCELLED"},
    {"Unknown", "UNKNOWN"},
    {"InvalidArgument", "INVALID_ARGUMENT"},
    {"DeadlineExceeded", "DEADLINE_EXCEEDED"},
    {"NotFound", "NOT_FOUND"},
    {"AlreadyExists", "ALREADY_EXISTS"},
    {"PermissionDenied", "PERMISSION_DENIED"},
    {"ResourceExhausted", "RESOURCE_EXHAUSTED"},
    {"FailedPrecondition", "FAILED_PRECONDITION"},
    {"Aborted", "ABORTED"},
    {"OutOfRange", "OUT_OF_RANGE"},
    {"Unimplemented", "UNIMPLEMENTED"},
    {"Internal", "INTERNAL"},
    {"Unavailable", "UNAVAILABLE"},
    {"DataLoss", "DATA_LOSS"},
    {"Unauthenticated", "UNAUTHENTICATED"},
}};

Value readGrpcStatus(const Operator& op, const Context& context, Scratch&) {
  const std::optional<std::string_view> found = grpcStatusSent(context);
  if (!found) {
    const int known = grpcStatusInstead(context);
    if (known < 0) return {};
    const auto code = static_cast<size_t>(known);
    if (op.style == kNumber || code >= kGrpcStatuses.size()) return number(code);
    return text(op.style == kCamel ? kGrpcStatuses[code].camel : kGrpcStatuses[code].snake);
  }
  uint64_t code = 0;
  const auto [end, error] = std::from_chars(found->data(), found->data() + found->size(), code);
  if (error != std::errc() || end != found->data() + found->size()) return text(*found);
  if (op.style == kNumber) return number(code);
  if (code >= kGrpcStatuses.size()) return text(*found);
  return text(op.style == kCamel ? kGrpcStatuses[code].camel : kGrpcStatuses[code].snake);
}

// --- times -----------------------------------------------------------------------------------------------------------

Value readTime(const Operator& op, const Context& context, Scratch& scratch) {
  char* const begin = scratch.bytes.data();
  return text(std::string_view(begin, op.time.write(context.info.start_time, begin) - begin));
}

Value readEmitTime(const Operator& op, const Context&, Scratch& scratch) {
  char* const begin = scratch.bytes.data();
  return text(std::string_view(begin, op.time.write(std::chrono::system_clock::now(), begin) - begin));
}

constexpr int64_t kMillisecond = 1'000'000;  // in nanoseconds

Value readDuration(const Operator& op, const Context& context, Scratch&) {
  const StreamInfo::Offset from = op.from == nullptr ? StreamInfo::Offset(0) : context.info.*op.from;
  const StreamInfo::Offset to = op.to == nullptr ? StreamInfo::Offset(0) : context.info.*op.to;
  if (from.count() < 0 || to < from) return {};
  return number(static_cast<uint64_t>((to - from).count() / kMillisecond));
}

// --- flags -----------------------------------------------------------------------------------------------------------

Value flagsText(const Context& context, Scratch& scratch, std::string_view (*name)(ResponseFlag)) {
  if (!context.info.response_flags.any()) return text("-");  // in JSON, too: a text, never null
  char* out = scratch.bytes.data();
  for (unsigned i = 0; i < static_cast<unsigned>(ResponseFlag::kCount); ++i) {
    const auto flag = static_cast<ResponseFlag>(i);
    if (!context.info.response_flags.has(flag)) continue;
    if (out != scratch.bytes.data()) *out++ = ',';
    const std::string_view piece = name(flag);
    std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
  }
  return text(std::string_view(scratch.bytes.data(), out - scratch.bytes.data()));
}

// Envoy keeps details in one word, so that columns stay columns.
Value detailsText(std::string_view details, Scratch& scratch) {
  if (details.find_first_of(" \t\r\n\v\f") == std::string_view::npos) return text(details);
  const size_t size = std::min(details.size(), scratch.bytes.size());
  std::transform(details.begin(), details.begin() + size, scratch.bytes.begin(),
                 [](char c) { return absl::ascii_isspace(c) ? '_' : c; });
  return text(std::string_view(scratch.bytes.data(), size));
}

const MetadataValue* findMetadata(const Operator& op, const Context& context) {
  const StreamInfo& info = context.info;
  if (op.style == kDynamic) return info.dynamic_metadata ? info.dynamic_metadata->find(op.text, op.path) : nullptr;
  if (op.style == kOfRoute || op.style == kOfVirtualHost) {
    const MetadataFields* fields = op.style == kOfRoute ? info.route_metadata : info.virtual_host_metadata;
    return fields != nullptr ? findMetadata(*fields, op.text, op.path) : nullptr;
  }
  if (op.style == kOfListener || op.style == kOfFilterChain) {
    const MetadataFields* fields =
        info.acceptedMetadata(op.style == kOfListener ? &ListenerMetadata::listener : &ListenerMetadata::filter_chain);
    return fields != nullptr ? findMetadata(*fields, op.text, op.path) : nullptr;
  }
  if (!info.upstream_metadata) return nullptr;
  const FixedMetadata& metadata =
      op.style == kOfCluster ? info.upstream_metadata->cluster : info.upstream_metadata->host;
  return metadata ? findMetadata(*metadata.fields(), op.text, op.path) : nullptr;
}

Value readMetadata(const Operator& op, const Context& context, Scratch&) {
  const MetadataValue* found = findMetadata(op, context);
  if (found == nullptr || std::holds_alternative<std::monostate>(found->value)) return {};
  if (const auto* plain = std::get_if<std::string>(&found->value)) {
    return text(std::optional<std::string_view>(*plain), op.limit);
  }
  return {Value::Kind::kStructure, {}, 0, found};
}

Value readFilterState(const Operator& op, const Context& context, Scratch&) {
  if (!context.info.filter_state) return {};
  const auto* found = context.info.filter_state->get<FilterState::Object>(op.text);
  if (found == nullptr) return {};
  const auto shown = op.path.empty() ? found->text() : found->field(op.path[0]).value_or(std::string_view());
  return text(shown.substr(0, op.limit));
}

// --- TLS -------------------------------------------------------------------------------------------------------------

using Tls = net::TlsInfo;
using Certificate = Tls::Certificate;

const Tls* downstreamTls(const Context& context) {
  return context.info.downstreamTls();
}
const Tls* upstreamTls(const Context& context) {
  return context.info.upstream_tls ? &context.info.upstream_tls->info : nullptr;
}

using WhichTls = const Tls* (*)(const Context&);

template <WhichTls kTls, std::string Tls::*kMember>
Value readTls(const Operator&, const Context& context, Scratch&) {
  const Tls* tls = kTls(context);
  return tls == nullptr ? Value{} : text(tls->*kMember);
}

template <WhichTls kTls, Certificate Tls::*kSide, std::string Certificate::*kMember>
Value readCertificate(const Operator&, const Context& context, Scratch&) {
  const Tls* tls = kTls(context);
  return tls == nullptr ? Value{} : text((tls->*kSide).*kMember);
}

// All names of a kind, with commas between; one name is not copied.
template <WhichTls kTls, Certificate Tls::*kSide, std::vector<std::string> Certificate::*kMember>
Value readSans(const Operator&, const Context& context, Scratch& scratch) {
  const Tls* tls = kTls(context);
  if (tls == nullptr) return {};
  const std::vector<std::string>& names = (tls->*kSide).*kMember;
  if (names.empty()) return {};
  if (names.size() == 1) return text(names.front());
  char* out = scratch.bytes.data();
  size_t room = scratch.bytes.size();
  for (const std::string& name : names) {
    const bool first = out == scratch.bytes.data();
    if (name.size() + (first ? 0 : 1) > room) break;  // whole names only
    if (!first) *out++ = ',';
    std::memcpy(out, name.data(), name.size());
    out += name.size();
    room = scratch.bytes.size() - static_cast<size_t>(out - scratch.bytes.data());
  }
  return text(std::string_view(scratch.bytes.data(), out - scratch.bytes.data()));
}

// --- attempts --------------------------------------------------------------------------------------------------------

using Attempted = StreamInfo::Attempted;

// Of all attempts in their order, with commas between; whole pieces only.
template <std::string_view (*kPiece)(const Attempted&, std::array<char, 20>&)>
Value readAttempted(const Operator&, const Context& context, Scratch& scratch) {
  const StreamInfo& info = context.info;
  char* out = scratch.bytes.data();
  const char* const end = out + scratch.bytes.size();
  const auto append = [&](const Attempted& attempt) {
    std::array<char, 20> digits;
    const std::string_view piece = kPiece(attempt, digits);
    const bool first = out == scratch.bytes.data();
    if (piece.empty() || piece.size() + (first ? 0 : 1) > static_cast<size_t>(end - out)) return;
    if (!first) *out++ = ',';
    std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
  };
  if (info.attempted) {
    for (const Attempted& attempt : *info.attempted) append(attempt);
  }
  append({info.upstream_host, info.upstream_host_name, info.upstream_connection_id});
  return text(std::string_view(scratch.bytes.data(), static_cast<size_t>(out - scratch.bytes.data())));
}

using Digits = std::array<char, 20>;
std::string_view attemptedHost(const Attempted& attempt, Digits&) {
  return attempt.host;
}
std::string_view attemptedIp(const Attempted& attempt, Digits&) {
  return splitAddress(attempt.host).first;
}
std::string_view attemptedName(const Attempted& attempt, Digits&) {
  return attempt.host_name;
}
std::string_view attemptedBareName(const Attempted& attempt, Digits&) {
  return splitAddress(attempt.host_name).first;
}
std::string_view attemptedConnection(const Attempted& attempt, Digits& digits) {
  if (attempt.connection_id == 0) return {};
  char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), attempt.connection_id).ptr;
  return {digits.data(), static_cast<size_t>(end - digits.data())};
}

template <WhichTls kTls, Certificate Tls::*kSide, int64_t Certificate::*kMember>
Value readValidity(const Operator& op, const Context& context, Scratch& scratch) {
  const Tls* tls = kTls(context);
  if (tls == nullptr || (tls->*kSide).sha256.empty()) return {};
  const StreamInfo::SystemTime time{std::chrono::seconds((tls->*kSide).*kMember)};
  char* const begin = scratch.bytes.data();
  return text(std::string_view(begin, op.time.write(time, begin) - begin));
}

// --- table -----------------------------------------------------------------------------------------------------------

using Parse = absl::Status (*)(const Spelling&, Operator&);

struct Known {
  std::string_view name;
  Parse parse;
  Operator::Read read;
};

Value readConstant(const Operator& op, const Context&, Scratch&) {
  return text(op.text);
}

// Operators without arguments that read one member of StreamInfo.
template <auto kMember>
Value readText(const Operator&, const Context& context, Scratch&) {
  return text(context.info.*kMember);
}
template <auto kMember>
Value readNumber(const Operator&, const Context& context, Scratch&) {
  return number(context.info.*kMember);
}
// 0 stands for none.
template <auto kMember>
Value readPositive(const Operator&, const Context& context, Scratch&) {
  return context.info.*kMember == 0 ? Value{} : number(context.info.*kMember);
}
template <auto kMember>
Value readWithoutPort(const Operator& op, const Context& context, Scratch& scratch) {
  return withoutPort(context.info.*kMember, op, scratch);
}
template <auto kMember>
Value readPort(const Operator&, const Context& context, Scratch&) {
  return portOf(context.info.*kMember);
}

Value readDirectLocalBare(const Operator& op, const Context& context, Scratch& scratch) {
  return withoutPort(directLocalOf(context), op, scratch);
}
Value readDirectLocalPort(const Operator&, const Context& context, Scratch&) {
  return portOf(directLocalOf(context));
}

// "envoy://LISTENER/ENDPOINT" -> "ENDPOINT"; no other address has one.
Value endpointOf(std::string_view address) {
  constexpr std::string_view kInternal = "envoy://";
  if (!address.starts_with(kInternal)) return {};
  const size_t slash = address.find('/', kInternal.size());
  return slash == std::string_view::npos ? Value{} : text(address.substr(slash + 1));
}
template <auto kMember>
Value readEndpoint(const Operator&, const Context& context, Scratch&) {
  return endpointOf(context.info.*kMember);
}
Value readDirectLocalEndpoint(const Operator&, const Context& context, Scratch&) {
  return endpointOf(directLocalOf(context));
}

Value readPoolWait(const Operator&, const Context& context, Scratch&) {
  const StreamInfo::Offset waited = context.info.upstream_pool_wait;
  if (waited.count() < 0) return {};
  return number(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(waited).count()));
}

// As they are, not as a codec compressed them.
Value readSentHeaderBytes(const Operator&, const Context& context, Scratch&) {
  return number(context.info.response_header_bytes + context.info.response_trailer_bytes);
}

Value readProtocol(const Operator&, const Context& context, Scratch&) {
  return context.info.has_protocol ? text(http::textOf(context.info.protocol)) : Value{};
}
Value readUpstreamProtocol(const Operator&, const Context& context, Scratch&) {
  const std::optional<http::Protocol> protocol = context.info.upstream_protocol;
  return protocol ? text(http::textOf(*protocol)) : Value{};
}
Value readDetails(const Operator& op, const Context& context, Scratch& scratch) {
  if (op.style == kAsItIs) return text(context.info.response_code_details);
  return detailsText(context.info.response_code_details, scratch);
}
Value readTermination(const Operator&, const Context& context, Scratch& scratch) {
  return detailsText(context.info.connection_termination_details, scratch);
}
Value readFailureReason(const Operator&, const Context& context, Scratch& scratch) {
  return detailsText(context.info.upstream_transport_failure_reason, scratch);
}
Value readFlags(const Operator&, const Context& context, Scratch& scratch) {
  return flagsText(context, scratch, shortTextOf);
}
Value readFlagsLong(const Operator&, const Context& context, Scratch& scratch) {
  return flagsText(context, scratch, longTextOf);
}
Value readDownstreamFailureReason(const Operator&, const Context& context, Scratch& scratch) {
  return detailsText(context.info.downstream_transport_failure_reason, scratch);
}
Value readLocalReplyBody(const Operator&, const Context& context, Scratch&) {
  return text(context.local_reply_body);
}

Value readAccessLogType(const Operator&, const Context& context, Scratch&) {
  return text(textOf(context.type));
}

// A random version 4 UUID (RFC 9562 section 5.4).
Value readUniqueId(const Operator&, const Context&, Scratch& scratch) {
  constexpr std::string_view kHex = "0123456789abcdef";
  uint64_t bits[2] = {drawChance(), drawChance()};
  bits[0] = (bits[0] & ~uint64_t{0xf000}) | 0x4000;
  bits[1] = (bits[1] & ~(uint64_t{3} << 62)) | (uint64_t{1} << 63);
  char* at = scratch.bytes.data();
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) *at++ = '-';
    *at++ = kHex[bits[i / 16] >> (60 - i % 16 * 4) & 15];
  }
  return text(std::string_view(scratch.bytes.data(), at - scratch.bytes.data()));
}

// What only HTTP/3 has.
Value readRetransmitted(const Operator&, const Context&, Scratch&) {
  return number(0);
}
Value readNothing(const Operator&, const Context&, Scratch&) {
  return {};
}

Value readExtended(const Operator& op, const Context& context, Scratch& scratch) {
  return op.extended->read(context, scratch);
}

using I = StreamInfo;

template <auto kMember>
constexpr Operator::Read kDownstream = readTls<downstreamTls, kMember>;
template <auto kMember>
constexpr Operator::Read kUpstream = readTls<upstreamTls, kMember>;
template <auto kMember>
constexpr Operator::Read kPeer = readCertificate<downstreamTls, &Tls::peer, kMember>;
template <auto kMember>
constexpr Operator::Read kLocal = readCertificate<downstreamTls, &Tls::local, kMember>;
template <auto kMember>
constexpr Operator::Read kUpstreamPeer = readCertificate<upstreamTls, &Tls::peer, kMember>;
template <auto kMember>
constexpr Operator::Read kUpstreamLocal = readCertificate<upstreamTls, &Tls::local, kMember>;

constexpr Known kKnown[] = {
    {"ACCESS_LOG_TYPE", parseNothing, readAccessLogType},
    {"BYTES_RECEIVED", parseNothing, readNumber<&I::bytes_received>},
    {"BYTES_RETRANSMITTED", parseNothing, readRetransmitted},
    {"BYTES_SENT", parseNothing, readNumber<&I::bytes_sent>},
    {"CEL", parseCel, readExtended},
    {"CLUSTER_METADATA", parseMetadata, readMetadata},
    {"COALESCE", parseCoalesce, readExtended},
    {"COMMON_DURATION", parseCommonDuration, readExtended},
    {"CONNECTION_ID", parseNothing, readNumber<&I::connection_id>},
    {"CONNECTION_TERMINATION_DETAILS", parseNothing, readTermination},
    {"CUSTOM_FLAGS", parseNothing, readNothing},
    {"DOWNSTREAM_CX_RTT", parseNothing, readRoundTrip},
    {"DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", parseNothing, readNumber<&I::request_header_bytes>},
    {"DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", parseNothing, readSentHeaderBytes},
    {"DOWNSTREAM_DETECTED_CLOSE_TYPE", parseNothing, readCloseType},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS", parseNothing, readDirectLocal},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", parseNothing, readDirectLocalEndpoint},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", parsePrefixLength, readDirectLocalBare},
    {"DOWNSTREAM_DIRECT_LOCAL_PORT", parseNothing, readDirectLocalPort},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", parseNothing, readText<&I::downstream_direct_remote_address>},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_ENDPOINT_ID", parseNothing, readEndpoint<&I::downstream_direct_remote_address>},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", parsePrefixLength,
     readWithoutPort<&I::downstream_direct_remote_address>},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", parseNothing, readPort<&I::downstream_direct_remote_address>},
    {"DOWNSTREAM_HANDSHAKE_DURATION", parseNothing, readHandshake},
    {"DOWNSTREAM_LOCAL_ADDRESS", parseNothing, readText<&I::downstream_local_address>},
    {"DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", parseNothing, readEndpoint<&I::downstream_local_address>},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", parsePrefixLength, readWithoutPort<&I::downstream_local_address>},
    {"DOWNSTREAM_LOCAL_CLOSE_REASON", parseNothing, readLocalCloseReason},
    {"DOWNSTREAM_LOCAL_DNS_SAN", parseNothing, readSans<downstreamTls, &Tls::local, &Certificate::dns_sans>},
    {"DOWNSTREAM_LOCAL_EMAIL_SAN", parseNothing, readSans<downstreamTls, &Tls::local, &Certificate::email_sans>},
    {"DOWNSTREAM_LOCAL_IP_SAN", parseNothing, readSans<downstreamTls, &Tls::local, &Certificate::ip_sans>},
    {"DOWNSTREAM_LOCAL_OTHERNAME_SAN", parseNothing, readSans<downstreamTls, &Tls::local, &Certificate::other_sans>},
    {"DOWNSTREAM_LOCAL_PORT", parseNothing, readPort<&I::downstream_local_address>},
    {"DOWNSTREAM_LOCAL_SUBJECT", parseNothing, kLocal<&Certificate::subject>},
    {"DOWNSTREAM_LOCAL_URI_SAN", parseNothing, readSans<downstreamTls, &Tls::local, &Certificate::uri_sans>},
    {"DOWNSTREAM_PEER_CERT", parseNothing, kPeer<&Certificate::pem>},
    {"DOWNSTREAM_PEER_CERT_V_END", parseTime, readValidity<downstreamTls, &Tls::peer, &Certificate::valid_to>},
    {"DOWNSTREAM_PEER_CERT_V_START", parseTime, readValidity<downstreamTls, &Tls::peer, &Certificate::valid_from>},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", parseNothing,
     readSans<downstreamTls, &Tls::peer, &Certificate::chain_sha1>},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", parseNothing,
     readSans<downstreamTls, &Tls::peer, &Certificate::chain_sha256>},
    {"DOWNSTREAM_PEER_CHAIN_SERIALS", parseNothing, readSans<downstreamTls, &Tls::peer, &Certificate::chain_serials>},
    {"DOWNSTREAM_PEER_DNS_SAN", parseNothing, readSans<downstreamTls, &Tls::peer, &Certificate::dns_sans>},
    {"DOWNSTREAM_PEER_EMAIL_SAN", parseNothing, readSans<downstreamTls, &Tls::peer, &Certificate::email_sans>},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", parseNothing, kPeer<&Certificate::sha1>},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", parseNothing, kPeer<&Certificate::sha256>},
    {"DOWNSTREAM_PEER_IP_SAN", parseNothing, readSans<downstreamTls, &Tls::peer, &Certificate::ip_sans>},
    {"DOWNSTREAM_PEER_ISSUER", parseNothing, kPeer<&Certificate::issuer>},
    {"DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256", parseNothing, kDownstream<&Tls::peer_issuer_sha256>},
    {"DOWNSTREAM_PEER_ISSUER_SERIAL", parseNothing, kDownstream<&Tls::peer_issuer_serial>},
    {"DOWNSTREAM_PEER_OTHERNAME_SAN", parseNothing, readSans<downstreamTls, &Tls::peer, &Certificate::other_sans>},
    {"DOWNSTREAM_PEER_SERIAL", parseNothing, kPeer<&Certificate::serial>},
    {"DOWNSTREAM_PEER_SUBJECT", parseNothing, kPeer<&Certificate::subject>},
    {"DOWNSTREAM_PEER_URI_SAN", parseNothing, readSans<downstreamTls, &Tls::peer, &Certificate::uri_sans>},
    {"DOWNSTREAM_REMOTE_ADDRESS", parseNothing, readText<&I::downstream_remote_address>},
    {"DOWNSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", parseNothing, readEndpoint<&I::downstream_remote_address>},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", parsePrefixLength, readWithoutPort<&I::downstream_remote_address>},
    {"DOWNSTREAM_REMOTE_PORT", parseNothing, readPort<&I::downstream_remote_address>},
    {"DOWNSTREAM_TLS_CIPHER", parseNothing, kDownstream<&Tls::cipher>},
    {"DOWNSTREAM_TLS_GROUP", parseNothing, kDownstream<&Tls::group>},
    {"DOWNSTREAM_TLS_SESSION_ID", parseNothing, kDownstream<&Tls::session_id>},
    {"DOWNSTREAM_TLS_VERSION", parseNothing, kDownstream<&Tls::version>},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", parseNothing, readDownstreamFailureReason},
    {"DOWNSTREAM_WIRE_BYTES_RECEIVED", parseNothing, readNumber<&I::downstream_wire_bytes_received>},
    {"DOWNSTREAM_WIRE_BYTES_SENT", parseNothing, readNumber<&I::downstream_wire_bytes_sent>},
    {"DURATION", parseDuration<nullptr, &I::response_end>, readDuration},
    {"DYNAMIC_METADATA", parseMetadata, readMetadata},
    {"EMIT_TIME", parseTime, readEmitTime},
    {"EMIT_TIME_LOCAL", parseLocalTime, readEmitTime},
    {"ENVIRONMENT", parseEnvironment, readConstant},
    {"FILTER_CHAIN_NAME", parseNothing, readText<&I::filter_chain_name>},
    {"FILTER_STATE", parseFilterState, readFilterState},
    {"GRPC_STATUS", parseGrpcStatus, readGrpcStatus},
    {"GRPC_STATUS_NUMBER", parseGrpcStatus, readGrpcStatus},
    {"HOSTNAME", parseHostname, readConstant},
    {"LISTENER_NAME", parseNothing, readText<&I::listener_name>},
    {"LOCAL_REPLY_BODY", parseNothing, readLocalReplyBody},
    {"METADATA", parseMetadata, readMetadata},
    {"PACKETS_RETRANSMITTED", parseNothing, readRetransmitted},
    {"PATH", parsePath, readPath},
    {"PER_REQUEST_STATE", parsePerRequestState, readFilterState},
    {"PROTOCOL", parseNothing, readProtocol},
    {"QUERY_PARAM", parseQueryParameter, readQueryParameter},
    {"QUERY_PARAMS", parseQuery, readQuery},
    {"REQ", parseHeaders, readRequestHeader},
    {"REQUESTED_SERVER_NAME", parseServerName, readServerName},
    {"REQUEST_BODY", parseRequestBody, readExtended},
    {"REQUEST_HEADER", parseHeaders, readRequestHeader},
    {"REQUEST_DURATION", parseDuration<nullptr, &I::request_end>, readDuration},
    {"REQUEST_HEADERS_BYTES", parseNothing, readNumber<&I::request_header_bytes>},
    {"REQUEST_TX_DURATION", parseDuration<nullptr, &I::upstream_request_end>, readDuration},
    {"REQ_WITHOUT_QUERY", parseHeaders, readRequestWithoutQuery},
    {"RESP", parseHeaders, readResponseHeader},
    {"RESPONSE_BODY", parseResponseBody, readExtended},
    {"RESPONSE_CODE", parseNothing, readNumber<&I::response_code>},
    {"RESPONSE_CODE_DETAILS", parseDetails, readDetails},
    {"RESPONSE_DURATION", parseDuration<nullptr, &I::response_start>, readDuration},
    {"RESPONSE_FLAGS", parseNothing, readFlags},
    {"RESPONSE_FLAGS_LONG", parseNothing, readFlagsLong},
    {"RESPONSE_HEADER", parseHeaders, readResponseHeader},
    {"RESPONSE_HEADERS_BYTES", parseNothing, readNumber<&I::response_header_bytes>},
    {"RESPONSE_TRAILER", parseHeaders, readTrailer},
    {"RESPONSE_TRAILERS_BYTES", parseNothing, readNumber<&I::response_trailer_bytes>},
    {"RESPONSE_TX_DURATION", parseDuration<&I::response_start, &I::response_end>, readDuration},
    {"ROUNDTRIP_DURATION", parseNothing, readNothing},
    {"ROUTE_NAME", parseNothing, readText<&I::route_name>},
    {"START_TIME", parseTime, readTime},
    {"START_TIME_LOCAL", parseLocalTime, readTime},
    {"STREAM_ID", parseNothing, readText<&I::request_id>},
    {"TLS_JA3_FINGERPRINT", parseNothing, readJa3},
    {"TLS_JA4_FINGERPRINT", parseNothing, readJa4},
    {"TRAILER", parseHeaders, readTrailer},
    {"TYPED_CEL", parseTypedCel, readExtended},
    {"UNIQUE_ID", parseNothing, readUniqueId},
    {"UPSTREAM_CLUSTER", parseNothing, readText<&I::upstream_cluster>},
    {"UPSTREAM_CLUSTER_RAW", parseNothing, readText<&I::upstream_cluster>},
    {"UPSTREAM_CONNECTION_ID", parseNothing, readPositive<&I::upstream_connection_id>},
    {"UPSTREAM_CONNECTION_IDS_ATTEMPTED", parseNothing, readAttempted<attemptedConnection>},
    {"UPSTREAM_CONNECTION_POOL_READY_DURATION", parseNothing, readPoolWait},
    {"UPSTREAM_DETECTED_CLOSE_TYPE", parseNothing, readUpstreamCloseType},
    // What upstream filters leave is the request's.
    {"UPSTREAM_FILTER_STATE", parseFilterState, readFilterState},
    {"UPSTREAM_HOST", parseNothing, readText<&I::upstream_host>},
    {"UPSTREAM_HOSTS_ATTEMPTED", parseNothing, readAttempted<attemptedHost>},
    {"UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT", parseNothing, readAttempted<attemptedIp>},
    {"UPSTREAM_HOST_NAMES_ATTEMPTED", parseNothing, readAttempted<attemptedName>},
    {"UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", parseNothing, readAttempted<attemptedBareName>},
    {"UPSTREAM_HOST_NAME", parseNothing, readText<&I::upstream_host_name>},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", parseNothing, readWithoutPort<&I::upstream_host_name>},
    {"UPSTREAM_LOCAL_ADDRESS", parseNothing, readText<&I::upstream_local_address>},
    {"UPSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", parseNothing, readEndpoint<&I::upstream_local_address>},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", parsePrefixLength, readWithoutPort<&I::upstream_local_address>},
    {"UPSTREAM_LOCAL_CLOSE_REASON", parseNothing, readUpstreamLocalCloseReason},
    {"UPSTREAM_LOCAL_DNS_SAN", parseNothing, readSans<upstreamTls, &Tls::local, &Certificate::dns_sans>},
    {"UPSTREAM_LOCAL_EMAIL_SAN", parseNothing, readSans<upstreamTls, &Tls::local, &Certificate::email_sans>},
    {"UPSTREAM_LOCAL_IP_SAN", parseNothing, readSans<upstreamTls, &Tls::local, &Certificate::ip_sans>},
    {"UPSTREAM_LOCAL_OTHERNAME_SAN", parseNothing, readSans<upstreamTls, &Tls::local, &Certificate::other_sans>},
    {"UPSTREAM_LOCAL_PORT", parseNothing, readPort<&I::upstream_local_address>},
    {"UPSTREAM_LOCAL_SUBJECT", parseNothing, kUpstreamLocal<&Certificate::subject>},
    {"UPSTREAM_LOCAL_URI_SAN", parseNothing, readSans<upstreamTls, &Tls::local, &Certificate::uri_sans>},
    {"UPSTREAM_METADATA", parseMetadata, readMetadata},
    {"UPSTREAM_PEER_CERT", parseNothing, kUpstreamPeer<&Certificate::pem>},
    {"UPSTREAM_PEER_CERT_V_END", parseTime, readValidity<upstreamTls, &Tls::peer, &Certificate::valid_to>},
    {"UPSTREAM_PEER_CERT_V_START", parseTime, readValidity<upstreamTls, &Tls::peer, &Certificate::valid_from>},
    {"UPSTREAM_PEER_DNS_SAN", parseNothing, readSans<upstreamTls, &Tls::peer, &Certificate::dns_sans>},
    {"UPSTREAM_PEER_EMAIL_SAN", parseNothing, readSans<upstreamTls, &Tls::peer, &Certificate::email_sans>},
    {"UPSTREAM_PEER_IP_SAN", parseNothing, readSans<upstreamTls, &Tls::peer, &Certificate::ip_sans>},
    {"UPSTREAM_PEER_ISSUER", parseNothing, kUpstreamPeer<&Certificate::issuer>},
    {"UPSTREAM_PEER_OTHERNAME_SAN", parseNothing, readSans<upstreamTls, &Tls::peer, &Certificate::other_sans>},
    {"UPSTREAM_PEER_SUBJECT", parseNothing, kUpstreamPeer<&Certificate::subject>},
    {"UPSTREAM_PEER_URI_SAN", parseNothing, readSans<upstreamTls, &Tls::peer, &Certificate::uri_sans>},
    {"UPSTREAM_PROTOCOL", parseNothing, readUpstreamProtocol},
    {"UPSTREAM_REMOTE_ADDRESS", parseNothing, readText<&I::upstream_host>},
    {"UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", parseNothing, readEndpoint<&I::upstream_host>},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", parsePrefixLength, readWithoutPort<&I::upstream_host>},
    {"UPSTREAM_REMOTE_PORT", parseNothing, readPort<&I::upstream_host>},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", parseNothing, readNumber<&I::attempt_count>},
    {"UPSTREAM_SERVER_NAME", parseNothing, kUpstream<&Tls::server_name>},
    {"UPSTREAM_TLS_CIPHER", parseNothing, kUpstream<&Tls::cipher>},
    {"UPSTREAM_TLS_GROUP", parseNothing, kUpstream<&Tls::group>},
    {"UPSTREAM_TLS_SESSION_ID", parseNothing, kUpstream<&Tls::session_id>},
    {"UPSTREAM_TLS_VERSION", parseNothing, kUpstream<&Tls::version>},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", parseNothing, readFailureReason},
    {"UPSTREAM_WIRE_BYTES_RECEIVED", parseNothing, readNumber<&I::upstream_wire_bytes_received>},
    {"UPSTREAM_WIRE_BYTES_SENT", parseNothing, readNumber<&I::upstream_wire_bytes_sent>},
    {"VIRTUAL_CLUSTER_NAME", parseNothing, readText<&I::virtual_cluster_name>},
};

// Levenshtein distance.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

std::string_view nearest(std::string_view name) {
  const Known* best = std::min_element(std::begin(kKnown), std::end(kKnown), [&](const Known& a, const Known& b) {
    return distance(name, a.name) < distance(name, b.name);
  });
  return best->name;
}

// Operators of Envoy's that this proxy has no answer for: refused with a reason of their own.
bool isForeign(std::string_view name) {
  static constexpr std::string_view kExact[] = {"FILE_CONTENT", "SECRET", "TRACE_ID", "SPAN_ID"};
  for (const std::string_view prefix :
       {"DOWNSTREAM_PEER_", "DOWNSTREAM_LOCAL_", "UPSTREAM_PEER_", "UPSTREAM_LOCAL_", "ROUTE_RESOLUTION_",
        "UPSTREAM_DECOMPRESSED_HEADER_BYTES_", "DOWNSTREAM_HEADER_BYTES_", "UPSTREAM_HEADER_BYTES_",
        "UPSTREAM_HOST_ENDPOINT"}) {
    if (name.starts_with(prefix)) return true;
  }
  return std::find(std::begin(kExact), std::end(kExact), name) != std::end(kExact);
}

}  // namespace

absl::StatusOr<FormatOperator> FormatOperator::compile(const Spelling& spelling) {
  for (const Known& known : kKnown) {
    if (known.name != spelling.name) continue;
    FormatOperator out;
    if (absl::Status status = known.parse(spelling, out); !status.ok()) return status;
    out.read_ = known.read;
    return out;
  }
  if (isForeign(spelling.name)) {
    return absl::InvalidArgumentError(base::strCat(
        "%", spelling.name, "% is not supported yet; remove it (nearest supported: %", nearest(spelling.name), "%)"));
  }
  return absl::InvalidArgumentError(
      base::strCat("unknown operator %", spelling.name, "%; did you mean %", nearest(spelling.name), "%?"));
}

}  // namespace sluice::stream
