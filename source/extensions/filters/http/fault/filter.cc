#include "source/extensions/filters/http/fault/filter.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "source/base/text.h"
#include "source/filter/context.h"

namespace sluice::extensions::http_filters::fault {
namespace {

using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::RequestHeaders;

constexpr std::string_view kMetadata = "envoy.filters.http.fault";
// What a slow answer may send ahead.
constexpr std::chrono::milliseconds kBurst{50};
constexpr uint64_t kMaxDelay = 86'400'000;  // milliseconds that a client may ask for

// The whole number in a header; nullopt: there is none, or it is too large.
std::optional<uint64_t> numberIn(const RequestHeaders& headers, std::string_view name, uint64_t most) {
  const std::optional<std::string_view> text = headers.get(name);
  uint64_t number = 0;
  if (!text || !absl::SimpleAtoi(base::toAbsl(*text), &number) || number > most) return std::nullopt;
  return number;
}

// Chance decides. Where clients may choose the fault, they may ask for a smaller share of it.
bool chosen(const runtime::Fraction& share, bool by_header, std::string_view header, const RequestHeaders& headers,
            filter::Context& context) {
  runtime::Fraction asked = share;
  if (by_header) {
    const auto percentage = numberIn(headers, header, UINT32_MAX);
    if (percentage) asked.numerator = std::min(asked.numerator, static_cast<uint32_t>(*percentage));
  }
  return context.sample(asked);
}

}  // namespace

Filter::~Filter() {
  if (active_) settings_.active->release();
}

bool Filter::concerns(const RequestHeaders& headers, filter::Context& context) const {
  const auto& nodes = faults_->downstream_nodes;
  if (!faults_->upstream_cluster.empty() && context.cluster() != faults_->upstream_cluster) return false;
  if (!nodes.empty()) {
    const std::string_view node = headers.get("x-envoy-downstream-service-node").value_or("");
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) return false;
  }
  return std::all_of(faults_->headers.begin(), faults_->headers.end(),
                     [&headers](const match::HeaderMatcher& matcher) { return matcher.matches(headers); });
}

bool Filter::begin(filter::Context& context) {
  if (active_ || refused_) return active_;
  if (!settings_.active->tryAcquire(faults_->max_active)) {
    refused_ = true;
    context.count(settings_.stats.faults_overflow);
    return false;
  }
  active_ = true;
  context.add(settings_.stats.active_faults);
  return true;
}

void Filter::onStreamEnd(filter::Context& context) {
  if (active_) context.sub(settings_.stats.active_faults);
}

void Filter::leaveMetadata(filter::Context& context) const {
  for (const stream::MetadataField& field : faults_->metadata) {
    context.info().metadata().set(kMetadata, field.name, field.value);
  }
}

void Filter::slowDown(const RequestHeaders& headers, filter::Context& context) {
  if (!faults_->throughput) return;
  const bool by_header = faults_->throughput->kib_per_second == 0;
  uint64_t rate = faults_->throughput->kib_per_second;
  if (by_header) rate = numberIn(headers, "x-envoy-fault-throughput-response", UINT32_MAX).value_or(0);
  if (rate == 0 || !chosen(faults_->throughput->share, by_header, "x-envoy-fault-throughput-response-percentage",
                           headers, context)) {
    return;
  }
  if (!begin(context)) return;
  context.count(settings_.stats.response_rl_injected);
  pace_.emplace(std::min<uint64_t>(rate, UINT64_MAX / 1024) * 1024, kBurst);
}

std::chrono::milliseconds Filter::delayOf(const RequestHeaders& headers, filter::Context& context) const {
  using std::chrono::milliseconds;
  if (!faults_->delay) return milliseconds(0);
  const bool by_header = faults_->delay->by_header;
  milliseconds delay = faults_->delay->fixed;
  if (by_header) {
    delay = milliseconds(static_cast<int64_t>(numberIn(headers, "x-envoy-fault-delay-request", kMaxDelay).value_or(0)));
  }
  if (delay.count() == 0) return delay;
  const bool waits =
      chosen(faults_->delay->share, by_header, "x-envoy-fault-delay-request-percentage", headers, context);
  return waits ? delay : milliseconds(0);
}

std::optional<Reply> Filter::abortOf(const RequestHeaders& headers, filter::Context& context) {
  if (!faults_->abort) return std::nullopt;
  const Abort& abort = *faults_->abort;
  uint64_t http_status = abort.http_status;
  std::optional<int> grpc_status = abort.grpc_status;
  if (abort.by_header) {
    http_status = numberIn(headers, "x-envoy-fault-abort-request", 599).value_or(0);
    const auto asked = numberIn(headers, "x-envoy-fault-abort-grpc-request", INT32_MAX);
    if (http_status < 200 && asked) grpc_status = static_cast<int>(*asked);
  }
  if (http_status < 200 && !grpc_status) return std::nullopt;
  if (!chosen(abort.share, abort.by_header, "x-envoy-fault-abort-request-percentage", headers, context) ||
      !begin(context)) {
    return std::nullopt;
  }
  context.count(settings_.stats.aborts_injected);
  leaveMetadata(context);
  Reply reply{static_cast<uint16_t>(grpc_status ? 200 : http_status),
              "fault filter abort",
              "fault_filter_abort",
              {},
              stream::ResponseFlag::kFaultInjected};
  reply.grpc_status = grpc_status;
  return reply;
}

HookResult Filter::onRequestHeaders(RequestHeaders& headers, filter::Context& context) {
  faults_ = &context.settingsOr(settings_.faults);
  if (!concerns(headers, context)) return Next{};
  slowDown(headers, context);
  const std::chrono::milliseconds delay = delayOf(headers, context);
  if (delay.count() > 0 && begin(context)) {
    context.count(settings_.stats.delays_injected);
    context.info().response_flags.set(stream::ResponseFlag::kDelayInjected);
    leaveMetadata(context);
    token_ = context.resumeToken();
    timer_ = context.calls().after(delay, [this, &context] { waited(context); });
    return filter::Pause{};
  }
  if (std::optional<Reply> reply = abortOf(headers, context)) return *std::move(reply);
  return Next{};
}

void Filter::waited(filter::Context& context) {
  if (!token_) return;  // the stream was answered meanwhile
  if (std::optional<Reply> reply = abortOf(context.request(), context)) return token_.reply(*std::move(reply));
  token_.resume();
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context& context) {
  if (!pace_) return Next{};
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(pace_->take(chunk.bytes().size(), context.now()));
  if (wait.count() == 0) return Next{};
  token_ = context.resumeToken();
  timer_ = context.calls().after(wait, [this] { token_.resume(); });
  return filter::Pause{};
}

}  // namespace sluice::extensions::http_filters::fault
