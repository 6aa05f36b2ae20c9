// The definition of what a route does to a request, in the words of the API and as plain as it can be: header changes
// of each level, host, path, and the location of a redirect. Shares no code with rewrite.cc. For differential tests.
#pragma once

#include <cctype>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "source/route/spec.h"

namespace sluice::route {

// A request as the model has it.
struct PlainRequest {
  std::string scheme, authority, path;
  std::vector<std::pair<std::string, std::string>> fields;

  bool has(const std::string& name) const {
    for (const auto& field : fields) {
      if (field.first == name) return true;
    }
    return false;
  }
  std::string first(const std::string& name) const {
    for (const auto& field : fields) {
      if (field.first == name) return field.second;
    }
    return "";
  }
  void remove(const std::string& name) {
    std::vector<std::pair<std::string, std::string>> left;
    for (const auto& field : fields) {
      if (field.first != name) left.push_back(field);
    }
    fields = left;
  }
  void set(const std::string& name, const std::string& value) {
    remove(name);
    fields.emplace_back(name, value);
  }
};

// A format that tests use: a text, and behind it the first value of a header.
struct PlainFormat final : ValueFormatter {
  PlainFormat(std::string text, std::string header) : text(std::move(text)), header(std::move(header)) {}
  void format(const stream::FormatContext& context, std::string& out) const override;

  std::string of(const PlainRequest& request) const { return text + request.first(header); }

  const std::string text, header;
};

class RewriteReference {
 public:
  // Of a table of one virtual host with one route, which has at most one weighted cluster.
  RewriteReference(const TableSpec& table, bool keep_original)
      : table_(table), route_(table.virtual_hosts[0].routes[0]), keep_original_(keep_original) {}

  // False: the request is refused.
  bool forward(PlainRequest& request) const {
    const auto& action = std::get<ForwardSpec>(route_.action);
    for (const HeaderMutations* level : levels()) change(*level, request);
    std::string host = action.host_rewrite;
    bool made = false;
    if (action.host_source) {
      made = true;
      host = hostOf(*action.host_source, request);
    }
    if (!action.weighted.empty() && !action.weighted[0].host_rewrite.empty()) {
      made = false;
      host = action.weighted[0].host_rewrite;
    }
    if (made && !isHost(host)) return false;
    if (!host.empty() && host != request.authority) {
      tellAuthority(action, request);
      request.authority = host;
    }
    return path(action, request);
  }

  std::string location(const PlainRequest& request) const {
    const auto& action = std::get<RedirectSpec>(route_.action);
    const std::string scheme = action.scheme.empty() ? request.scheme : action.scheme;
    std::string host = action.host;
    if (host.empty()) {
      host = request.authority;
      const std::string port = portOf(host);
      const bool own = (request.scheme == "http" && port == "80") || (request.scheme == "https" && port == "443");
      if (!port.empty() && (action.port != 0 || (own && scheme != request.scheme))) {
        host = host.substr(0, host.size() - port.size() - 1);
      }
    }
    if (action.port != 0 && !host.empty()) host += ":" + std::to_string(action.port);
    std::string query = action.strip_query ? "" : queryOf(request.path);
    std::string path = pathOf(request.path);
    if (!action.path.empty()) {
      path = action.path;
      if (path.find('?') != std::string::npos) query = "";
    } else {
      path = rewritten(path, action.prefix_rewrite, action.regex_rewrite, formatted(action.path_format, request));
    }
    const std::string target = safe(oneSlash(path + query), "");
    return host.empty() ? target : safe(scheme + "://" + host, "") + target;
  }

 private:
  std::vector<const HeaderMutations*> levels() const {
    std::vector<const HeaderMutations*> out;
    const auto& action = std::get<ForwardSpec>(route_.action);
    if (!action.weighted.empty()) out.push_back(&action.weighted[0].mutations.request);
    out.push_back(&route_.mutations.request);
    out.push_back(&table_.virtual_hosts[0].mutations.request);
    out.push_back(&table_.mutations.request);
    if (table_.most_specific_header_mutations_wins) out = {out.rbegin(), out.rend()};
    return out;
  }

  static void change(const HeaderMutations& level, PlainRequest& request) {
    using Action = HeaderAddition::Action;
    for (const std::string& name : level.remove) request.remove(name);
    const PlainRequest seen = request;
    for (const bool overwrites : {true, false}) {
      for (const HeaderAddition& addition : level.add) {
        const bool is_overwrite =
            addition.action == Action::kOverwriteIfExistsOrAdd || addition.action == Action::kOverwriteIfExists;
        if (is_overwrite != overwrites) continue;
        const auto* format = dynamic_cast<const PlainFormat*>(addition.formatter.get());
        const std::string value = format == nullptr ? addition.value : format->of(seen);
        if (value.empty() && !addition.keep_empty_value) continue;
        if (addition.action == Action::kOverwriteIfExists && !seen.has(addition.name)) continue;
        if (addition.action == Action::kAddIfAbsent && seen.has(addition.name)) continue;
        is_overwrite ? request.set(addition.name, value)
                     : static_cast<void>(request.fields.emplace_back(addition.name, value));
      }
    }
  }

  static std::string hostOf(const HostSource& source, const PlainRequest& request) {
    if (!source.header.empty()) return request.first(source.header);
    if (source.format != nullptr) return formatted(source.format, request);
    return replaced(pathOf(request.path), *source.of_path);
  }

  static bool isHost(const std::string& text) {
    for (const char c : text) {
      if (c <= ' ' || c >= 0x7f || std::string("/?#@\\,").find(c) != std::string::npos) return false;
    }
    return true;
  }

  void tellAuthority(const ForwardSpec& action, PlainRequest& request) const {
    if (request.authority.empty()) return;
    if (keep_original_) request.set("x-envoy-original-host", request.authority);
    if (!action.append_x_forwarded_host) return;
    std::pair<std::string, std::string>* last = nullptr;
    for (auto& field : request.fields) {
      if (field.first == "x-forwarded-host") last = &field;
    }
    if (last == nullptr) {
      request.fields.emplace_back("x-forwarded-host", request.authority);
    } else if (last->second != request.authority && !last->second.ends_with("," + request.authority)) {
      last->second += "," + request.authority;
    }
  }

  bool path(const ForwardSpec& action, PlainRequest& request) const {
    const std::string before = pathOf(request.path);
    const std::string format = formatted(action.path_format, request);
    const std::string after = rewritten(before, action.prefix_rewrite, action.regex_rewrite, format);
    if (after == before) return true;
    if (climbs(after) && (action.path_format != nullptr || !climbs(before))) return false;
    if (keep_original_) request.set("x-envoy-original-path", request.path);
    request.path = after + queryOf(request.path);
    return true;
  }

  std::string rewritten(const std::string& path, const std::string& prefix, const std::optional<RegexRewrite>& regex,
                        const std::string& format) const {
    std::string out = path;
    if (!format.empty()) {
      out = safe(format, "?#");
    } else if (!prefix.empty()) {
      const bool of_prefix = route_.path_kind == PathKind::kPrefix || route_.path_kind == PathKind::kSeparatedPrefix;
      out = of_prefix ? prefix + path.substr(route_.path.size()) : prefix;
    } else if (regex) {
      out = replaced(path, *regex);
    } else {
      return path;
    }
    return !out.empty() && out[0] == '/' ? out : "/" + out;
  }

  static std::string replaced(std::string text, const RegexRewrite& rewrite) {
    re2::RE2::GlobalReplace(&text, rewrite.pattern->pattern(), rewrite.substitution);
    return text;
  }

  static std::string formatted(const std::shared_ptr<const ValueFormatter>& format, const PlainRequest& request) {
    return format == nullptr ? "" : dynamic_cast<const PlainFormat&>(*format).of(request);
  }

  static std::string pathOf(const std::string& target) { return target.substr(0, target.find('?')); }
  static std::string queryOf(const std::string& target) { return target.substr(pathOf(target).size()); }

  static std::string portOf(const std::string& authority) {
    std::string digits;
    for (size_t i = authority.size(); i > 0 && std::isdigit(static_cast<unsigned char>(authority[i - 1])) != 0; --i) {
      digits = authority[i - 1] + digits;
    }
    return authority.ends_with(":" + digits) ? digits : "";
  }

  static std::string oneSlash(std::string path) {
    while (!path.empty() && (path[0] == '/' || path[0] == '\\')) path = path.substr(1);
    return "/" + path;
  }

  static std::string safe(const std::string& text, const std::string& others) {
    std::string out;
    for (const char c : text) {
      const bool visible = c > ' ' && c < 0x7f;
      std::string coded(4, '\0');
      std::snprintf(coded.data(), coded.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += visible && others.find(c) == std::string::npos ? std::string(1, c) : coded.substr(0, 3);
    }
    return out;
  }

  static bool climbs(std::string path) {
    for (const char* code : {"\\", "%2f", "%2F", "%5c", "%5C"}) {
      const std::string slash(code);
      for (size_t at = path.find(slash); at != std::string::npos; at = path.find(slash)) {
        path = path.substr(0, at) + "/" + path.substr(at + slash.size());
      }
    }
    for (path += '/'; !path.empty(); path = path.substr(path.find('/') + 1)) {
      std::string segment = path.substr(0, path.find('/'));
      segment = segment.substr(0, segment.find(';'));
      std::string plain;
      for (size_t i = 0; i < segment.size(); ++i) {
        const std::string code = segment.substr(i, 3);
        const bool dot = code == "%2e" || code == "%2E";
        plain += dot ? '.' : segment[i];
        if (dot) i += 2;
      }
      if (plain == "." || plain == "..") return true;
    }
    return false;
  }

  const TableSpec& table_;
  const RouteSpec& route_;
  const bool keep_original_;
};

}  // namespace sluice::route
