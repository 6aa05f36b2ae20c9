#include "source/extensions/filters/http/oauth2/urls.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "source/base/ascii.h"
#include "source/base/percent.h"
#include "source/http/query.h"

namespace sluice::extensions::http_filters::oauth2 {

std::string hostOfAuthority(std::string_view authority) {
  if (authority.starts_with('[')) {
    return base::lowered(authority.substr(1, std::min(authority.find(']'), authority.size()) - 1));
  }
  return base::lowered(authority.substr(0, authority.find(':')));
}

std::optional<std::string> hostOf(std::string_view url) {
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '\\'; });
  const size_t scheme = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  if (!plain || scheme == 0) return std::nullopt;
  const std::string_view rest = url.substr(scheme);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const bool known = std::all_of(authority.begin(), authority.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' ||
           c == ']';
  });
  std::string host = known ? hostOfAuthority(authority) : std::string();
  return host.empty() ? std::nullopt : std::optional(std::move(host));
}

bool isWithin(std::string_view host, std::string_view site) {
  if (site.starts_with('.')) site.remove_prefix(1);
  const std::string lower = base::lowered(site);
  return host == lower ||
         (host.size() > lower.size() && host.ends_with(lower) && host[host.size() - lower.size() - 1] == '.');
}

bool isAmong(std::string_view host, const std::vector<std::string>& domains) {
  return std::any_of(domains.begin(), domains.end(), [host](const std::string& domain) {
    if (!domain.starts_with("*.")) return host == domain;
    return host != std::string_view(domain).substr(2) && isWithin(host, std::string_view(domain).substr(2));
  });
}

bool isNavigation(const http::RequestHeaders& headers) {
  if (headers.method != "GET" || headers.has(http::Name::kUpgrade) || headers.get("x-requested-with")) return false;
  if (headers.get("sec-fetch-mode").value_or("navigate") != "navigate") return false;
  if (headers.get(http::Name::kContentType).value_or("").starts_with("application/grpc")) return false;
  const auto accept = headers.getAll("accept");
  return !accept || base::lowered(*accept).find("text/html") != std::string::npos;
}

std::optional<Callback> readCallback(std::string_view path) {
  Callback out;
  const std::pair<std::string_view, std::string*> fields[] = {{"code", &out.code},
                                                              {"state", &out.state},
                                                              {"iss", &out.issuer},
                                                              {"error", &out.error},
                                                              {"error_description", &out.error_description}};
  for (std::string_view rest = http::queryOf(path).value_or(""); !rest.empty();) {
    const http::QueryParameter parameter = http::takeParameter(rest);
    const std::string name = base::formDecoded(parameter.name);
    for (const auto& [known, value] : fields) {
      if (name != known) continue;
      if (!value->empty()) return std::nullopt;
      *value = base::formDecoded(parameter.value);
    }
  }
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2
