#include "source/stream/response_flags.h"

#include <array>

namespace sluice::stream {
namespace {

struct Texts {
  std::string_view brief, full;
};

constexpr std::array<Texts, static_cast<size_t>(ResponseFlag::kCount)> kTexts = {{
    {"LH", "FailedLocalHealthCheck"},
    {"UH", "NoHealthyUpstream"},
    {"UT", "UpstreamRequestTimeout"},
    {"LR", "LocalReset"},
    {"UR", "UpstreamRemoteReset"},
    {"UF", "UpstreamConnectionFailure"},
    {"UC", "UpstreamConnectionTermination"},
    {"UO", "UpstreamOverflow"},
    {"NR", "NoRouteFound"},
    {"DI", "DelayInjected"},
    {"FI", "FaultInjected"},
    {"RL", "RateLimited"},
    {"UAEX", "UnauthorizedExternalService"},
    {"RLSE", "RateLimitServiceError"},
    {"DC", "DownstreamConnectionTermination"},
    {"URX", "UpstreamRetryLimitExceeded"},
    {"SI", "StreamIdleTimeout"},
    {"IH", "InvalidEnvoyRequestHeaders"},
    {"DPE", "DownstreamProtocolError"},
    {"UMSDR", "UpstreamMaxStreamDurationReached"},
    {"RFCF", "ResponseFromCacheFilter"},
    {"NFCF", "NoFilterConfigFound"},
    {"DT", "DurationTimeout"},
    {"UPE", "UpstreamProtocolError"},
    {"NC", "NoClusterFound"},
    {"OM", "OverloadManagerTerminated"},
    {"DF", "DnsResolutionFailed"},
    {"DO", "DropOverload"},
    {"DR", "DownstreamRemoteReset"},
    {"UDO", "UnconditionalDropOverload"},
}};

}  // namespace

std::string_view shortTextOf(ResponseFlag flag) {
  return kTexts[static_cast<size_t>(flag)].brief;
}
std::string_view longTextOf(ResponseFlag flag) {
  return kTexts[static_cast<size_t>(flag)].full;
}

std::optional<ResponseFlag> responseFlagOf(std::string_view short_text) {
  for (size_t i = 0; i < kTexts.size(); ++i) {
    if (kTexts[i].brief == short_text) return static_cast<ResponseFlag>(i);
  }
  return std::nullopt;
}

}  // namespace sluice::stream
