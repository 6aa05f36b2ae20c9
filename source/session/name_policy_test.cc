#include "source/session/name_policy.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/http/strictness.h"

namespace sluice::session {
namespace {

using http::StrictRule;

struct Names {
  HttpSettings settings;
  base::Arena arena;
  http::RequestHeaders headers{arena};

  // "" or the refusal; then the names that are left.
  std::string apply() {
    const auto refusal = applyNamePolicy(settings, headers);
    std::string out = refusal ? std::to_string(refusal->status) + " " + std::string(refusal->details) : "";
    for (const http::Field& field : headers) out.append(out.empty() ? "" : " ").append(field.name);
    return out;
  }
  void add(std::initializer_list<const char*> names) {
    for (const char* name : names) headers.add(name, "1");
  }
};

TEST_CASE("at an edge nobody but us speaks for proxies (H1)") {
  const auto apply = [](bool strip, bool edge, uint32_t hops) {
    Names n;
    n.settings.strip_forwarded = strip;
    n.settings.use_remote_address = edge;
    n.settings.xff_num_trusted_hops = hops;
    n.add({"forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-port", "x-forwarded-for", "x-forwarded-proto",
           "x-real-ip-2"});
    return n.apply();
  };
  const std::string all =
      "forwarded x-real-ip x-forwarded-host x-forwarded-port x-forwarded-for x-forwarded-proto x-real-ip-2";

  CHECK(apply(true, true, 0) == "x-forwarded-for x-forwarded-proto x-real-ip-2");
  CHECK(apply(true, true, 1) == all);
  CHECK(apply(true, false, 0) == all);
  CHECK(apply(false, true, 0) == all);
}

TEST_CASE("names with underscores that are reported only stay, but for those that stand for another name (H3)") {
  Names n;
  n.settings.codec_limits.report_only.add(StrictRule::kUnderscoreNames);
  n.settings.underscores = GENERATE(Underscores::kDrop, Underscores::kReject);
  n.add({"a_b", "x-c"});

  CHECK(n.apply() == "a_b x-c");

  REQUIRE(n.headers.let_through != nullptr);
  CHECK(n.headers.let_through->examples[static_cast<size_t>(StrictRule::kUnderscoreNames)] == "a_b");
  n.add({"content_length", "transfer_encoding", "x_user_id", "x_forwarded_for", "x_real_ip", "remote_user", "x_envoy_a",
         "x_http_method_override", "host_"});
  const bool refused = n.settings.underscores == Underscores::kReject;
  CHECK(n.apply() == std::string(refused ? "400 unexpected_underscore " : "") + "a_b x-c host_");
}

TEST_CASE("nothing is noted of a request whose names are good, nor where underscores are allowed anyhow") {
  Names n;
  n.settings.codec_limits.report_only.add(StrictRule::kUnderscoreNames);
  n.settings.underscores = Underscores::kDrop;
  n.add({"x-c"});
  CHECK(n.apply() == "x-c");
  CHECK(n.headers.let_through == nullptr);

  n.settings.underscores = Underscores::kAllow;
  n.add({"x_user"});
  CHECK(n.apply() == "x-c x_user");
  CHECK(n.headers.let_through == nullptr);
}

TEST_CASE("trailers with underscores are dropped where fields with them may not be") {
  base::Arena arena;
  http::Trailers trailers(arena);
  trailers.add("x_user", "1");
  trailers.add("x-sum", "1");
  HttpSettings settings;

  applyNamePolicy(settings, trailers);
  CHECK(trailers.size() == 2);
  settings.underscores = GENERATE(Underscores::kDrop, Underscores::kReject);
  applyNamePolicy(settings, trailers);

  REQUIRE(trailers.size() == 1);
  CHECK(trailers.begin()->name == "x-sum");
}

}  // namespace
}  // namespace sluice::session
