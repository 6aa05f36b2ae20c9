#include "source/extensions/filters/http/geoip/filter.h"

#include <optional>
#include <string_view>

#include "source/filter/context.h"
#include "source/http/rules.h"
#include "source/net/address.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::geoip {
namespace {

// What the request's head says; nothing: the connection manager's word counts.
std::optional<net::Address> addressIn(const http::RequestHeaders& headers, const Settings& settings) {
  if (!settings.address_header.empty()) {
    const auto value = headers.getAll(settings.address_header);  // a list is no address
    return value ? net::Address::fromIp(http::withoutSpaces(*value), 0) : std::nullopt;
  }
  if (settings.trusted_hops == 0) return std::nullopt;
  const auto list = headers.getAll("x-forwarded-for");
  return list ? net::Address::fromIp(http::forwardedAddress(*list, settings.trusted_hops), 0) : std::nullopt;
}

net::Address addressOf(const http::RequestHeaders& headers, const Settings& settings, std::string_view client) {
  if (const auto said = addressIn(headers, settings)) return *said;
  return net::Address::parse(client).value_or(net::Address());
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const net::Address address = addressOf(headers, settings_, context.info().downstream_remote_address);
  bool changed = removeFrom(headers);
  context.count(settings_.total);
  if (!address.isIp()) {
    context.count(settings_.skipped);
  } else {
    settings_.provider->lookUp(address, context.worker(), [&](size_t name, std::string_view value) {
      if (!http::validValue(value)) return;
      headers.set(settings_.headers[name], value);
      changed = true;
    });
  }
  // Routes may look at the headers.
  if (changed) context.rematchRoute();
  return filter::Next{};
}

// There are servers that take trailers for headers.
filter::HookResult Filter::onRequestTrailers(http::Trailers& trailers, filter::Context&) {
  removeFrom(trailers);
  return filter::Next{};
}

bool Filter::removeFrom(http::HeaderList& fields) const {
  bool any = false;
  for (const std::string& header : settings_.headers) any |= fields.remove(header) > 0;
  return any;
}

}  // namespace sluice::extensions::http_filters::geoip
