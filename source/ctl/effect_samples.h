// Changes of one field each, as YAML of the whole message before and after it.
#pragma once

#include <string>
#include <vector>

namespace sluice::ctl {

struct EffectSample {
  std::string group;  // "Listener", "Listener of UDP"
  std::string type;   // "envoy.config.listener.v3.Listener"
  std::string field;  // "address"; may say more: "lb_endpoints (one leaves)"
  std::string before, after;
};

// Each field of Listener and FilterChain that can change while the listener stays of its kind; of endpoints what
// matters.
std::vector<EffectSample> effectSamples();

// Fields of Listener without a sample: they make it one of another kind, or are refused.
std::vector<std::string> unsampledListenerFields();

}  // namespace sluice::ctl
