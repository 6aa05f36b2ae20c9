#include "source/config/cookies.h"

#include <chrono>

#include "source/config/route_texts.h"
#include "source/http/rules.h"

namespace sluice::config {
namespace {

template <typename Proto>
http::CookieSettings compile(const Proto& proto, const Context& context) {
  http::CookieSettings out;
  checkCookieName(proto.name(), context.child("name"));
  out.name = proto.name();
  if (proto.ttl().seconds() > 0) out.max_age = std::chrono::seconds(proto.ttl().seconds());
  checkCookieText(proto.path(), context.child("path"));
  out.path = proto.path();
  for (int i = 0; i < proto.attributes_size(); ++i) {
    const auto& attribute = proto.attributes(i);
    const Context at = context.child("attributes", static_cast<size_t>(i));
    checkCookieText(attribute.name(), at.child("name"));
    checkCookieText(attribute.value(), at.child("value"));
    out.attributes.emplace_back(attribute.name(), attribute.value());
  }
  return out;
}

}  // namespace

void checkCookieName(std::string_view name, const Context& context) {
  if (!isToken(name)) context.error("is no cookie's name; use letters, digits and !#$%&'*+-.^_`|~ only");
}

void checkCookieText(std::string_view text, const Context& context) {
  if (text.find(';') == std::string_view::npos && http::validValue(text)) return;
  context.error("may not hold ';' or control bytes: it becomes a part of a set-cookie header");
}

http::CookieSettings compileCookie(const envoy::type::http::v3::Cookie& proto, const Context& context) {
  return compile(proto, context);
}

http::CookieSettings compileCookie(const envoy::config::route::v3::RouteAction::HashPolicy::Cookie& proto,
                                   const Context& context) {
  return compile(proto, context);
}

}  // namespace sluice::config
