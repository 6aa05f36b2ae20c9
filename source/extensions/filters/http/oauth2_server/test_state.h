// States of tests, and how to compare them.
#pragma once

#include <chrono>
#include <string>

#include "source/extensions/filters/http/oauth2_server/change_codec.h"
#include "source/extensions/filters/http/oauth2_server/state.h"

namespace sluice::extensions::http_filters::oauth2_server::testing {

inline const WallTime kNow{std::chrono::seconds(1'800'000'000)};

inline Grant grantOf(std::string subject = "ann") {
  return {"app", std::move(subject), "read write", {"https://api.example", "https://other.example"}};
}

inline CodeRecord codeOf(const std::string& code) {
  return {filter::digestOf(code),          grantOf(), "https://app.example/cb", filter::digestOf("v"),
          kNow + std::chrono::seconds(60), {}};
}

inline LoginRecord loginOf(std::string id, std::string subject = "ann") {
  LoginRecord out;
  out.id = std::move(id);
  out.grant = grantOf(std::move(subject));
  out.has_refresh = true;
  out.refresh_expires = out.expires = kNow + std::chrono::seconds(100);
  return out;
}

inline KeyRecord keyOf(WallTime from = kNow) {
  return {SigningKey::generate(SigningAlgorithm::kEs256), from, std::chrono::seconds(300)};
}

// All of it: equal where states are, as long as nothing has several of a kind but keys.
inline std::string bytesOf(const State& state) {
  std::string out;
  for (const Change& change : state.changes()) appendChange(change, nullptr, out);
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2_server::testing
