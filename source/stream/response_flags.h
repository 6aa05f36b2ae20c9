// Why a response is as it is: the flags of Envoy's access log (%RESPONSE_FLAGS%), as a set of bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::stream {

// In the order in which Envoy prints them.
enum class ResponseFlag : uint8_t {
  kFailedLocalHealthCheck,            // LH
  kNoHealthyUpstream,                 // UH
  kUpstreamRequestTimeout,            // UT
  kLocalReset,                        // LR
  kUpstreamRemoteReset,               // UR
  kUpstreamConnectionFailure,         // UF
  kUpstreamConnectionTermination,     // UC
  kUpstreamOverflow,                  // UO
  kNoRouteFound,                      // NR
  kDelayInjected,                     // DI
  kFaultInjected,                     // FI
  kRateLimited,                       // RL
  kUnauthorizedExternalService,       // UAEX
  kRateLimitServiceError,             // RLSE
  kDownstreamConnectionTermination,   // DC
  kUpstreamRetryLimitExceeded,        // URX
  kStreamIdleTimeout,                 // SI
  kInvalidEnvoyRequestHeaders,        // IH
  kDownstreamProtocolError,           // DPE
  kUpstreamMaxStreamDurationReached,  // UMSDR
  kResponseFromCacheFilter,           // RFCF
  kNoFilterConfigFound,               // NFCF
  kDurationTimeout,                   // DT
  kUpstreamProtocolError,             // UPE
  kNoClusterFound,                    // NC
  kOverloadManager,                   // OM
  kDnsResolutionFailed,               // DF
  kDropOverload,                      // DO
  kDownstreamRemoteReset,             // DR
  kUnconditionalDropOverload,         // UDO
  kCount,
};

std::string_view shortTextOf(ResponseFlag flag);  // "UH"
std::string_view longTextOf(ResponseFlag flag);   // "NoHealthyUpstream"
std::optional<ResponseFlag> responseFlagOf(std::string_view short_text);

class ResponseFlags {
 public:
  constexpr ResponseFlags() = default;
  constexpr ResponseFlags(ResponseFlag flag) : bits_(bit(flag)) {}  // NOLINT: a flag is a set of one

  void set(ResponseFlags flags) { bits_ |= flags.bits_; }
  bool has(ResponseFlag flag) const { return (bits_ & bit(flag)) != 0; }
  bool intersects(ResponseFlags other) const { return (bits_ & other.bits_) != 0; }
  bool any() const { return bits_ != 0; }
  uint32_t bits() const { return bits_; }

 private:
  static constexpr uint32_t bit(ResponseFlag flag) { return uint32_t{1} << static_cast<unsigned>(flag); }
  uint32_t bits_ = 0;
};
static_assert(static_cast<unsigned>(ResponseFlag::kCount) <= 32);

}  // namespace sluice::stream
