#include "source/extensions/filters/http/ldap_auth/factory.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sluice/extensions/filters/http/ldap_auth/v1/ldap_auth.pb.h"
#include "source/base/ascii.h"
#include "source/base/host_port.h"
#include "source/base/text.h"
#include "source/config/generic_secret.h"
#include "source/config/group_access.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/config/thread_pool.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/ldap_auth/filter.h"
#include "source/extensions/filters/http/ldap_auth/ldap_directory.h"

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

namespace v1 = sluice::extensions::filters::http::ldap_auth::v1;

constexpr std::chrono::milliseconds kConnectTimeout{2000}, kTimeout{5000}, kCacheTtl{60'000};
constexpr uint32_t kConcurrentLogins = 4;
constexpr std::optional<uint16_t> kPort = 389, kTlsPort = 636;

bool isHost(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<uint8_t>(c)) || c == '.' || c == '-' || c == '_' || c == ':';
  });
}

std::optional<uint16_t> readPort(std::string_view text) {
  uint32_t port = 0;
  const bool is_number = !text.empty() && text.size() <= 5 &&
                         std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
                         absl::SimpleAtoi(base::toAbsl(text), &port);
  return is_number && port > 0 && port <= 65535 ? std::optional(static_cast<uint16_t>(port)) : std::nullopt;
}

// nullopt: it is no URL of a server.
std::optional<Server> readServer(std::string_view url) {
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string scheme = base::lowered(url.substr(0, colon));
  if (scheme != "ldap" && scheme != "ldaps") return std::nullopt;
  std::string_view place = url.substr(colon + 3);
  if (place.ends_with('/')) place.remove_suffix(1);
  const base::HostPort parts = base::splitHostPort(place);
  const std::string host(parts.bareHost());
  const bool is_bracketed = host.size() != parts.host.size();
  if (!isHost(host) || (host.find(':') != std::string::npos) != is_bracketed) return std::nullopt;
  const auto port = parts.has_port ? readPort(parts.port) : scheme == "ldaps" ? kTlsPort : kPort;
  if (!port) return std::nullopt;
  const std::string text = absl::StrCat(base::toAbsl(parts.host), ":", *port);
  return Server{host, *port, scheme == "ldaps", text};
}

std::vector<Server> compileServers(const v1::LdapAuth& proto, const config::Context& at) {
  std::vector<Server> out;
  for (int i = 0; i < proto.servers_size(); ++i) {
    if (auto server = readServer(proto.servers(i))) {
      out.push_back(*std::move(server));
    } else {
      at.child("servers", static_cast<size_t>(i))
          .error("is no server; write ldap://HOST:PORT or ldaps://HOST:PORT, with nothing behind it");
    }
  }
  return out;
}

TlsOptions compileTls(const v1::Tls& proto, const std::vector<Server>& servers, const config::Context& at) {
  const auto isTlsFirst = [](const Server& server) { return server.tls_first; };
  const bool is_first = std::any_of(servers.begin(), servers.end(), isTlsFirst);
  if (proto.start_tls() && is_first) {
    at.child("start_tls")
        .error("is for ldap:// servers, and one is ldaps://, where TLS comes first; remove one of them");
  }
  const bool is_used = is_first || proto.start_tls();
  for (const Server& server : servers) {
    // libldap would look for the machine's own name in the certificate.
    if (!is_used || proto.accept_untrusted() || base::lowered(server.host) != "localhost") continue;
    at.error(absl::StrCat("cannot tell whether a certificate is for localhost (", server.text,
                          "); write its address or another name of it in servers"));
  }
  const std::string& file = proto.trusted_ca_filename();
  if (!is_used && (!file.empty() || proto.accept_untrusted())) {
    at.error("has no effect, as no server is ldaps:// and start_tls is not set; set it");
  }
  if (is_used && file.empty() != proto.accept_untrusted()) {
    at.error("needs trusted_ca_filename, or else accept_untrusted, and not both");
  }
  if (!file.empty()) {
    envoy::config::core::v3::DataSource source;
    source.set_filename(file);
    const auto text = config::compileDataSource(source, at.child("trusted_ca_filename"));
    if (text && text->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
      at.child("trusted_ca_filename").error(absl::StrCat("has no certificate in PEM: ", file));
    }
  }
  return {proto.start_tls(), file, !proto.accept_untrusted()};
}

std::string compileDn(const std::string& text, const config::Context& at) {
  if (!isDn(text)) at.error("is no DN; write one like ou=people,dc=example,dc=com (RFC 4514)");
  return text;
}

FilterTemplate compileFilter(const std::string& text, bool has_dn, const config::Context& at) {
  auto filter = FilterTemplate::parse(text, has_dn);
  if (filter.ok()) return *std::move(filter);
  at.error(absl::StrCat(filter.status().message(), "; write a filter like ", has_dn ? "(member={dn})" : "(uid={user})",
                        " (RFC 4515)"));
  return {};
}

Search::Scope scopeOf(v1::Scope scope) {
  return scope == v1::ONE_LEVEL ? Search::Scope::kOneLevel : Search::Scope::kSubtree;
}

SearchBind compileSearch(const v1::SearchBind& proto, const config::Context& at) {
  if (proto.bind_dn().empty() == proto.has_password()) {
    at.error("needs both bind_dn and password, or neither: without a name or a password a bind is nobody's");
  }
  if (!proto.bind_dn().empty()) compileDn(proto.bind_dn(), at.child("bind_dn"));
  return {proto.bind_dn(), compileDn(proto.base_dn(), at.child("base_dn")), scopeOf(proto.scope()),
          compileFilter(proto.filter(), false, at.child("filter"))};
}

std::string textOr(const std::string& text, const char* usual) {
  return text.empty() ? usual : text;
}

void compileGroups(const v1::Groups& proto, const config::Context& at, DirectoryOptions& out) {
  if (proto.has_member_of()) {
    const v1::MemberOf& member_of = proto.member_of();
    if (!member_of.base_dn().empty()) compileDn(member_of.base_dn(), at.child("member_of").child("base_dn"));
    out.groups = MemberOf{textOr(member_of.attribute(), "memberOf"), member_of.base_dn()};
  } else if (proto.has_search()) {
    const v1::GroupSearch& search = proto.search();
    const config::Context there = at.child("search");
    out.groups =
        GroupSearch{compileDn(search.base_dn(), there.child("base_dn")), scopeOf(search.scope()),
                    compileFilter(search.filter(), true, there.child("filter")), textOr(search.name_attribute(), "cn")};
  }
}

std::chrono::milliseconds timeOr(bool is_set, const google::protobuf::Duration& time, std::chrono::milliseconds usual) {
  return is_set ? config::compileMilliseconds(time) : usual;
}

DirectoryOptions compileDirectory(const v1::LdapAuth& proto, const config::FactoryContext& context) {
  DirectoryOptions out;
  out.servers = compileServers(proto, context.at);
  out.tls = compileTls(proto.tls(), out.servers, context.at.child("tls"));
  out.timeouts = {timeOr(proto.has_connect_timeout(), proto.connect_timeout(), kConnectTimeout),
                  timeOr(proto.has_timeout(), proto.timeout(), kTimeout)};
  if (proto.has_search_bind()) {
    out.entry = compileSearch(proto.search_bind(), context.at.child("search_bind"));
  } else {
    const auto& direct = proto.direct_bind();
    out.entry =
        DirectBind{direct.attribute(), compileDn(direct.base_dn(), context.at.child("direct_bind").child("base_dn"))};
  }
  compileGroups(proto.groups(), context.at.child("groups"), out);
  out.name_attribute = proto.name_attribute();
  out.warn = [logger = context.services.logger](std::string_view text) {
    if (logger != nullptr) logger->warning("http", "ldap_auth: ", text);
  };
  return out;
}

class Factory : public config::RoutedHttpFilterOf<v1::LdapAuth, v1::LdapAuthPerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v1::LdapAuth& proto, const config::FactoryContext& context) const override {
    const auto counter = [&](const char* name) {
      return context.stats->counter(absl::StrCat(context.owner, "ldap_auth.", name));
    };
    const auto header = [&](const std::string& name, const config::Context& at, std::string& to) {
      if (!name.empty()) to = config::compileHeaderName(name, at);
    };
    const config::ErrorMark mark(context.at);
    DirectoryOptions directory = compileDirectory(proto, context);
    Settings out;
    if (proto.search_bind().has_password()) {
      out.secret =
          config::compileGenericSecret(proto.search_bind().password(), context.child("search_bind").child("password"));
    }
    out.scheme = textOr(proto.scheme(), "Basic");
    header(proto.authentication_header(), context.at.child("authentication_header"), out.header);
    header(proto.forwarding().header(), context.at.child("forwarding").child("header"), out.forward_header);
    if (out.forward_header == out.header) {
      context.at.child("forwarding").child("header").error("is where passwords are; name another one");
    }
    out.challenge = absl::StrCat(out.scheme, " realm=\"", textOr(proto.realm(), "directory"), "\"");
    out.hide_credentials = proto.forwarding().hide_credentials();
    out.allow_missing = proto.allow_missing();
    out.allowed = counter("allowed");
    out.unauthorized = counter("unauthorized");
    out.forbidden = counter("forbidden");
    out.error = counter("error");
    out.unavailable = counter("unavailable");
    out.overflow = counter("overflow");
    if (mark.hit()) return nullptr;

    const uint32_t threads =
        proto.has_max_concurrent_logins() ? proto.max_concurrent_logins().value() : kConcurrentLogins;
    directory.max_idle = threads;
    out.logins = std::make_shared<Logins>(
        std::make_shared<LdapDirectory>(std::move(directory)),
        config::makeThreadPool({threads, config::kPoolMaxWaiting, config::kPoolMaxWaitingEach}, context.services),
        context.services.local_slots, timeOr(proto.has_cache_ttl(), proto.cache_ttl(), kCacheTtl));
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v1::LdapAuthPerRoute& proto,
                                         const config::FactoryContext&) const override {
    return config::compileGroupAccess(proto);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::ldap_auth
