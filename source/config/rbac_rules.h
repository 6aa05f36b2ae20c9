#pragma once

// Permissions and principals -> filter::rbac::Rule. For rbac_compiler.cc only.

#include <cstdint>

#include "envoy/config/rbac/v3/rbac.pb.h"
#include "source/config/errors.h"
#include "source/config/rbac_compiler.h"
#include "source/config/route_texts.h"
#include "source/filter/rbac/rules.h"

namespace sluice::config {

class RbacRules {
 public:
  explicit RbacRules(const RbacPlace& place) : place_(place) {}

  filter::rbac::Rule compile(const envoy::config::rbac::v3::Permission& proto, const Context& context);
  filter::rbac::Rule compile(const envoy::config::rbac::v3::Principal& proto, const Context& context);

  // Notes that something looks at `parts`, and refuses it where these are not there. `context`: of what looks.
  void need(uint8_t parts, const Context& context);
  // All that was noted.
  uint8_t needs() const { return needs_; }

 private:
  using Rule = filter::rbac::Rule;

  template <typename List>
  Rule set(Rule::Kind kind, const List& list, const Context& context);
  template <typename Proto>
  Rule negated(const Proto& proto, const Context& context);
  Rule range(Rule::Kind kind, uint8_t parts, const envoy::config::core::v3::CidrRange& proto, const Context& context);
  Rule ports(uint32_t first, uint32_t last, const Context& context);
  Rule portRange(const envoy::type::v3::Int32Range& proto, const Context& context);
  Rule text(Rule::Kind kind, const envoy::type::matcher::v3::StringMatcher& proto, const Context& context);
  Rule path(const envoy::type::matcher::v3::PathMatcher& proto, const Context& context);
  Rule pathTemplate(const envoy::config::core::v3::TypedExtensionConfig& proto, const Context& context);
  Rule header(const envoy::config::route::v3::HeaderMatcher& proto, const Context& context);
  Rule metadata(Rule::Kind kind, const envoy::type::matcher::v3::MetadataMatcher& proto, const Context& context);
  Rule sourced(const envoy::config::rbac::v3::SourcedMetadata& proto, const Context& context);
  Rule filterState(const envoy::type::matcher::v3::FilterStateMatcher& proto, const Context& context);
  Rule upstream(const envoy::config::core::v3::TypedExtensionConfig& proto, const Context& context);
  Rule authenticated(const envoy::config::rbac::v3::Principal::Authenticated& proto, const Context& context);
  Rule custom(const envoy::config::core::v3::TypedExtensionConfig& proto, const Context& context);

  const RbacPlace& place_;
  Regexes regexes_;
  uint8_t needs_ = 0;
};

}  // namespace sluice::config
