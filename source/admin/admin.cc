#include "source/admin/admin.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "source/admin/query.h"
#include "source/admin/views.h"
#include "source/base/host_port.h"
#include "source/base/text.h"
#include "source/net/address.h"

namespace sluice::admin {
namespace {

using observability::LogLevel;
using observability::StatsQuery;

// --- views -----------------------------------------------------------------------------------------------------------

Response ready(const Query&, AdminState& state) {
  const auto current = state.serverInfo().state();
  Response out;
  out.status = current == envoy::admin::v3::ServerInfo::LIVE ? 200 : 503;
  out.body = base::strCat(envoy::admin::v3::ServerInfo::State_Name(current), "\n");
  const std::string reason = state.notReadyReason();
  if (out.status != 200 && !reason.empty()) base::strAppend(out.body, reason, "\n");
  return out;
}

Response serverInfo(const Query&, AdminState& state) {
  envoy::admin::v3::ServerInfo info = state.serverInfo();
  // May hold what /config_dump redacts.
  if (info.has_command_line_options()) info.mutable_command_line_options()->clear_config_yaml();
  return jsonOf(info, true);
}

bool wantsJson(const Query& query) {
  return query.get("format") == "json";
}

std::optional<Response> badFormat(const Query& query, std::string_view usage, std::vector<std::string_view> known) {
  const auto format = query.get("format");
  if (!format || std::find(known.begin(), known.end(), *format) != known.end()) return std::nullopt;
  return problem(400, usage);
}

Response clusters(const Query& query, AdminState& state) {
  if (auto bad = badFormat(query, "usage: /clusters?format=json", {"json", "text"})) return *bad;
  if (const auto unknown = query.unknown({"format", "filter"})) {
    return problem(400, base::strCat("parameter '", *unknown, "' is not supported; known are format, filter"));
  }
  envoy::admin::v3::Clusters shown = state.clusters();
  if (const auto filter = query.get("filter"); filter && !keepClusters(*filter, shown)) {
    return problem(400, "filter is no regular expression");
  }
  if (wantsJson(query)) return jsonOf(shown);
  Response out;
  out.body = clustersText(shown, [&](const std::string& name, size_t host) { return state.healthReason(name, host); });
  return out;
}

Response listeners(const Query& query, AdminState& state) {
  if (auto bad = badFormat(query, "usage: /listeners?format=json", {"json", "text"})) return *bad;
  if (wantsJson(query)) return jsonOf(state.listeners());
  Response out;
  out.body = listenersText(state.listeners());
  return out;
}

Response certs(const Query&, AdminState& state) {
  return jsonOf(state.certificates(), true);
}

Response jwks(const Query&, AdminState& state) {
  return keySets(state.keySets());
}

Response xdsVerdicts(const Query& query, AdminState& state) {
  return verdicts(query, state.verdicts());
}

Response dump(const Query& query, AdminState& state) {
  return configDump(query, state);
}

Response csds(const Query& query, AdminState& state) {
  if (!query.parameters().empty()) return problem(400, "/csds has no parameters");
  return clientStatus(state);
}

Response statsAs(std::string_view format, const Query& query, AdminState& state) {
  if (const auto unknown = query.unknown({"format", "filter", "usedonly"})) {
    return problem(400,
                   base::strCat("parameter '", *unknown, "' is not supported; known are format, filter, usedonly"));
  }
  const StatsQuery what{std::string(query.get("filter").value_or("")), query.has("usedonly")};
  std::optional<std::string> body;
  Response out;
  if (format == "json") {
    body = renderJson(state.stats(), what);
    out.content_type = "application/json";
  } else if (format == "prometheus") {
    body = renderPrometheus(state.stats(), what);
    out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  } else {
    body = renderText(state.stats(), what);
  }
  if (!body) return problem(400, "filter is no regular expression");
  out.body = *std::move(body);
  return out;
}

Response stats(const Query& query, AdminState& state) {
  if (auto bad =
          badFormat(query, "usage: /stats?format=json or /stats?format=prometheus", {"text", "json", "prometheus"})) {
    return *bad;
  }
  return statsAs(query.get("format").value_or("text"), query, state);
}

Response prometheus(const Query& query, AdminState& state) {
  return statsAs("prometheus", query, state);
}

Response memoryView(const Query&, AdminState&) {
  return memory();
}

Response explain(const Query& query, AdminState& state) {
  return state.explain(query.parameters());
}

// --- actions ---------------------------------------------------------------------------------------------------------

Response done() {
  Response out;
  out.body = "OK\n";
  return out;
}

// "level=debug", or "sluice=debug" as for a logger of that name; without parameters the level is shown.
Response logging(const Query& query, AdminState& state) {
  if (query.parameters().size() > 1) return problem(400, "usage: /logging?level=LEVEL");
  if (!query.parameters().empty()) {
    const auto& [name, value] = query.parameters()[0];
    if (name != "level" && name != "sluice")
      return problem(400, "usage: /logging?level=LEVEL (there is one logger: sluice)");
    const std::optional<LogLevel> level = observability::logLevelOf(value);
    if (!level) {
      return problem(400, base::strCat("unknown level '", observability::oneLine(value),
                                       "'; known are trace, debug, info, warning, error, critical, off"));
    }
    state.logger().setLevel(*level);
  }
  Response out;
  out.body = base::strCat("active loggers:\n  sluice: ", observability::textOf(state.logger().level()), "\n");
  return out;
}

Response quit(const Query&, AdminState& state) {
  state.quit();
  return done();
}

Response drainListeners(const Query& query, AdminState& state) {
  if (const auto unknown = query.unknown({"graceful", "inboundonly", "skip_exit"})) {
    return problem(
        400, base::strCat("parameter '", *unknown, "' is not supported; known are graceful, inboundonly, skip_exit"));
  }
  state.drainListeners({.graceful = query.has("graceful"),
                        .inbound_only = query.has("inboundonly"),
                        .skip_exit = query.has("skip_exit")});
  return done();
}

Response failHealthCheck(const Query&, AdminState& state) {
  state.setHealthCheckFailed(true);
  return done();
}

Response passHealthCheck(const Query&, AdminState& state) {
  state.setHealthCheckFailed(false);
  return done();
}

// `url` without its scheme and fragment; nullopt: it has no host, or no scheme though it `needs` one.
std::optional<std::string_view> withoutScheme(std::string_view url, bool needs) {
  url = url.substr(0, url.find('#'));
  const size_t scheme = absl::StartsWithIgnoreCase(base::toAbsl(url), "http://")    ? 7
                        : absl::StartsWithIgnoreCase(base::toAbsl(url), "https://") ? 8
                                                                                    : 0;
  if (needs && scheme == 0) return std::nullopt;
  url.remove_prefix(scheme);
  if (url.empty() || url[0] == '/' || url[0] == '?') return std::nullopt;
  return url;
}

Response purgeCaches(const Query& query, AdminState& state) {
  constexpr std::string_view kUsage = "usage: /cache/purge?url=http://HOST/PATH or ?prefix=HOST/PATH or ?tag=TAG";
  if (query.parameters().size() != 1) return problem(400, kUsage);
  const auto& [name, value] = query.parameters()[0];
  std::optional<cache::Purge> purge;
  if (name == "tag" && !value.empty()) {
    purge = {cache::Purge::By::kTag, value};
  } else if (const auto url = withoutScheme(value, name == "url"); url && name == "url") {
    purge = {cache::Purge::By::kAddress, *url};
  } else if (url && name == "prefix") {
    purge = {cache::Purge::By::kPrefix, *url};
  }
  if (!purge) return problem(400, kUsage);
  Response out;
  out.body = base::strCat("removed: ", state.purgeCaches(*purge), "\n");
  return out;
}

// --- table -----------------------------------------------------------------------------------------------------------

// A question is read by GET, too, but its parameters may be private: by POST they are in the body, and so in no log.
enum class Kind : uint8_t { kView, kAction, kQuestion };

struct Page {
  std::string_view path;
  Kind kind;
  Response (*handle)(const Query&, AdminState&);
  std::string_view help;
};

Response help(const Query&, AdminState&);
Response index(const Query&, AdminState&);

constexpr auto kPages = std::to_array<Page>({
    {"/", Kind::kView, index, "this list with links"},
    {"/cache/purge", Kind::kAction, purgeCaches, "remove stored answers (url=URL, prefix=HOST/PATH or tag=TAG)"},
    {"/certs", Kind::kView, certs, "certificates in use and when they expire"},
    {"/clusters", Kind::kView, clusters, "upstream clusters and their hosts (format=json, filter=REGEX)"},
    {"/config_dump", Kind::kView, dump, "the configuration in use (resource, mask, name_regex, include_eds)"},
    {"/csds", Kind::kView, csds, "what became of the control plane's resources, as a ClientStatusResponse of CSDS"},
    {"/drain_listeners", Kind::kAction, drainListeners,
     "stop accepting connections (graceful, inboundonly, skip_exit)"},
    {"/explain", Kind::kQuestion, explain, "what becomes of a request (request, header, listener, source, sni)"},
    {"/healthcheck/fail", Kind::kAction, failHealthCheck, "make /ready fail, and ask connections to end"},
    {"/healthcheck/ok", Kind::kAction, passHealthCheck, "make /ready succeed again"},
    {"/help", Kind::kView, help, "this list"},
    {"/jwks", Kind::kView, jwks, "keys of tokens that are fetched: how many, how old, what was wrong"},
    {"/listeners", Kind::kView, listeners, "listeners and their addresses (format=json)"},
    {"/logging", Kind::kAction, logging, "show or set the log level (level=LEVEL)"},
    {"/memory", Kind::kView, memoryView, "memory of the heap"},
    {"/quitquitquit", Kind::kAction, quit, "end the process"},
    {"/ready", Kind::kView, ready, "200 while the server is live"},
    {"/server_info", Kind::kView, serverInfo, "version, state, command line"},
    {"/stats", Kind::kView, stats, "all stats (format=text|json|prometheus, filter=REGEX, usedonly)"},
    {"/stats/prometheus", Kind::kView, prometheus, "all stats for Prometheus (filter=REGEX, usedonly)"},
    {"/xds", Kind::kView, xdsVerdicts, "what became of each resource of the control plane (state, type, name_regex)"},
});

std::string helpText() {
  std::string out = "admin commands are:\n";
  for (const Page& page : kPages) {
    base::strAppend(out, "  ", page.path, page.kind == Kind::kAction ? " (POST)" : "", ": ", page.help, "\n");
  }
  return out;
}

Response help(const Query&, AdminState&) {
  Response out;
  out.body = helpText();
  return out;
}

Response index(const Query&, AdminState&) {
  Response out;
  out.content_type = "text/html; charset=UTF-8";
  out.headers = {{"content-security-policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'"}};
  out.body = "<!DOCTYPE html>\n<title>sluice admin</title>\n<h1>sluice admin</h1>\n<table>\n";
  for (const Page& page : kPages) {
    const std::string path(page.path.substr(1));  // relative, so that it works behind a prefix too
    const std::string control =
        page.kind == Kind::kAction
            ? base::strCat("<form method=\"post\" action=\"", path, "\"><button>", path, "</button></form>")
            : base::strCat("<a href=\"", path.empty() ? "." : path, "\">", page.path, "</a>");
    base::strAppend(out.body, "<tr><td>", control, "<td>", page.help, "\n");
  }
  out.body += "</table>\n";
  return out;
}

// --- guards ----------------------------------------------------------------------------------------------------------

// What may make a browser act for a page that is not ours. A page whose name was made to resolve to this address (DNS
// rebinding) has our origin, so with an origin the host must be one that no stranger can own.
std::optional<std::string_view> crossOrigin(const Request& request) {
  const std::string_view site = request.sec_fetch_site;
  if (!site.empty() && site != "same-origin" && site != "none") return "the request comes from a page of another site";
  if (request.origin.empty()) return std::nullopt;
  const size_t scheme = request.origin.find("://");
  const std::string_view origin_host =
      scheme == std::string_view::npos ? std::string_view() : request.origin.substr(scheme + 3);
  if (origin_host.empty() || origin_host != request.host) return "the Origin header is not that of this server";
  const std::string_view host = base::splitHostPort(request.host).bareHost();
  if (host != "localhost" && !net::Address::fromIp(host, 0)) {
    return "a browser must name this server by its address or as localhost";
  }
  return std::nullopt;
}

Response methodNotAllowed(const Page& page) {
  const bool action = page.kind == Kind::kAction;
  const std::string_view allowed = action ? "POST" : page.kind == Kind::kView ? "GET, HEAD" : "GET, HEAD, POST";
  Response out = problem(405, base::strCat(page.path, " needs ", action ? "POST" : "GET"));
  out.headers = {{"allow", std::string(allowed)}};
  return out;
}

Response answer(const Request& request, AdminState& state) {
  const Query query(request.target);
  const auto page =
      std::find_if(kPages.begin(), kPages.end(), [&](const Page& known) { return known.path == query.path(); });
  if (page == kPages.end()) return problem(404, base::strCat("invalid path. ", helpText()));
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool posts = request.method == "POST" && page->kind != Kind::kView;
  if (!posts && (!reads || page->kind == Kind::kAction)) return methodNotAllowed(*page);
  if (posts) {
    if (const auto why = crossOrigin(request)) return problem(403, base::strCat("refused: ", *why));
  }
  if (posts && page->kind == Kind::kQuestion && !request.body.empty()) {
    return page->handle(Query(base::strCat(page->path, "?", request.body)), state);
  }
  return page->handle(query, state);
}

}  // namespace

Response handle(const Request& request, AdminState& state) {
  Response out = answer(request, state);
  out.headers.emplace_back("cache-control", "no-cache, max-age=0");
  out.headers.emplace_back("x-content-type-options", "nosniff");
  return out;
}

}  // namespace sluice::admin
