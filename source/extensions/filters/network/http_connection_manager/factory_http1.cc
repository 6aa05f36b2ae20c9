#include "source/extensions/filters/network/http_connection_manager/factory_http1.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "source/config/http1_options.h"
#include "source/config/route_texts.h"
#include "source/match/string.h"

namespace sluice::extensions::network_filters::http_connection_manager {
namespace {

using config::Context;
using envoy::config::core::v3::Http1ProtocolOptions;

class ListedUpgrades final : public http::UpgradeFilter {
 public:
  explicit ListedUpgrades(std::vector<match::StringMatcher> list) : list_(std::move(list)) {}

  bool ignores(std::string_view protocol) const override {
    return std::any_of(list_.begin(), list_.end(), [protocol](const auto& each) { return each.matches(protocol); });
  }

 private:
  const std::vector<match::StringMatcher> list_;
};

// Null: the list is empty.
std::shared_ptr<const http::UpgradeFilter> compileIgnoredUpgrades(const Http1ProtocolOptions& proto,
                                                                  const Context& context) {
  if (proto.ignore_http_11_upgrade().empty()) return nullptr;
  config::Regexes regexes;
  std::vector<match::StringMatcher> list;
  for (int i = 0; i < proto.ignore_http_11_upgrade_size(); ++i) {
    list.push_back(regexes.stringMatcher(proto.ignore_http_11_upgrade(i),
                                         context.child("ignore_http_11_upgrade", static_cast<size_t>(i))));
  }
  return std::make_shared<const ListedUpgrades>(std::move(list));
}

}  // namespace

void compileHttp1(const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& proto,
                  config::Defaults defaults, const Context& context, session::HttpSettings& out) {
  const Http1ProtocolOptions& h1 = proto.http_protocol_options();
  const Context at = context.child("http_protocol_options");
  http::CodecLimits& limits = out.codec_limits;
  limits.allow_absolute_url = h1.has_allow_absolute_url() ? h1.allow_absolute_url().value() : true;
  limits.accept_http_10 = h1.accept_http_10();
  limits.enable_trailers = h1.enable_trailers() || defaults == config::Defaults::kEdge;
  limits.allow_chunked_length = h1.allow_chunked_length();
  limits.name_case = config::compileNameCase(h1, at);
  out.ignored_upgrades = compileIgnoredUpgrades(h1, at);
  limits.ignored_upgrades = out.ignored_upgrades.get();
  out.default_host = h1.default_host_for_http_10();
  config::checkHostText(out.default_host, at.child("default_host_for_http_10"));
  if (h1.send_fully_qualified_url()) {
    at.child("send_fully_qualified_url").warn("not used: it is about requests to hosts; write it into clusters");
  }
  if (h1.override_stream_error_on_invalid_http_message().value()) {
    at.child("override_stream_error_on_invalid_http_message")
        .warn(
            "not used: behind a message that breaks a rule nobody knows where the next one begins, so the connection "
            "ends");
  }
}

}  // namespace sluice::extensions::network_filters::http_connection_manager
