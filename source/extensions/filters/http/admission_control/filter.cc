#include "source/extensions/filters/http/admission_control/filter.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "source/filter/context.h"
#include "source/http/grpc.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::admission_control {
namespace {

// Chance is drawn in steps of this.
constexpr uint64_t kSteps = 10'000;

int grpcStatusIn(const http::HeaderList& fields) {
  const auto status = fields.get(http::Name::kGrpcStatus);
  return status ? http::grpc::parseStatus(*status) : -1;
}

}  // namespace

bool Rules::isSuccess(uint16_t http_status) const {
  return std::any_of(http_success.begin(), http_success.end(), [http_status](const auto& range) {
    return range.first <= http_status && http_status < range.second;
  });
}

bool Rules::isGrpcSuccess(int status) const {
  return status >= 0 && status <= 16 && ((grpc_success >> status) & 1) != 0;
}

double Rules::probability(const Window::Counts& counts) const {
  const auto requests = static_cast<double>(counts.requests);
  const double missing = requests - static_cast<double>(counts.successes) / threshold;
  if (missing <= 0) return 0;
  return std::min(std::pow(missing / (requests + 1), 1 / aggression), max_probability);
}

void Filter::record(bool success, filter::Context& context) {
  open_ = false;
  settings_.windows->get(context.worker()).record(success, context.now());
  context.count(success ? settings_.success : settings_.failure);
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  const Rules& rules = settings_.rules;
  if (!rules.enabled || context.info().health_check) return filter::Next{};
  const Window::Counts counts = settings_.windows->get(context.worker()).counts(context.now());
  const double rate = static_cast<double>(counts.requests) / static_cast<double>(rules.window.count());
  if (rate >= rules.min_rate) {
    const double chance = rules.probability(counts) * static_cast<double>(kSteps);
    if (chance > 0 && chance > static_cast<double>(context.random() % kSteps)) {
      context.count(settings_.rejected);
      return filter::Reply{503, "", "denied_by_admission_control"};
    }
  }
  open_ = true;
  return filter::Next{};
}

filter::HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (!open_) return filter::Next{};
  const bool grpc = http::grpc::isGrpcContentType(headers.get(http::Name::kContentType).value_or(""));
  if (!grpc) {
    record(settings_.rules.isSuccess(headers.status), context);
  } else if (headers.has(http::Name::kGrpcStatus)) {
    record(settings_.rules.isGrpcSuccess(grpcStatusIn(headers)), context);
  }
  return filter::Next{};
}

filter::HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context& context) {
  if (open_) record(settings_.rules.isGrpcSuccess(grpcStatusIn(trailers)), context);
  return filter::Next{};
}

// Without an answer, or with a gRPC one that has no status.
void Filter::onStreamEnd(filter::Context& context) {
  if (open_) record(false, context);
}

}  // namespace sluice::extensions::http_filters::admission_control
