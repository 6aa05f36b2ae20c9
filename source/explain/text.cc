#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/explain/explain.h"

namespace sluice::explain {
namespace {

using Json = nlohmann::ordered_json;

// What is not there, or of another kind than it should be, is empty: who answered may be of another version.
std::string text(const Json& in, const char* name) {
  if (!in.is_object() || !in.contains(name)) return {};
  const Json& value = in[name];
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

const Json& part(const Json& in, const char* name) {
  static const Json kNothing = Json::object();
  return in.is_object() && in.contains(name) ? in[name] : kNothing;
}

bool flag(const Json& in, const char* name) {
  return part(in, name) == Json(true);
}

// " 'name'", or nothing.
std::string quoted(const Json& in, const char* name) {
  const std::string value = text(in, name);
  return value.empty() ? value : absl::StrCat(" '", value, "'");
}

// "lead value tail", or nothing without a value.
std::string about(std::string_view lead, const std::string& value, const char* tail = "") {
  return value.empty() ? value : absl::StrCat(std::string(lead), value, tail);
}

// " [file:line] path", as far as it is known.
std::string where(const Json& in) {
  const Json& place = part(in, "place");
  const std::string path = text(place, "path"), file = text(place, "file"), line = text(place, "line");
  std::string out = about("  at ", path);
  if (!file.empty() && !line.empty()) absl::StrAppend(&out, path.empty() ? "  at " : " ", "(", file, ":", line, ")");
  return out;
}

std::string joined(const Json& items) {
  std::string out;
  if (!items.is_array()) return out;
  for (const Json& each : items) {
    absl::StrAppend(&out, out.empty() ? "" : ", ", each.is_string() ? each.get<std::string>() : each.dump());
  }
  return out;
}

class Lines {
 public:
  void add(const char* label, const std::string& value) {
    if (value.empty()) return;
    std::string line = label;
    line.resize(std::max<size_t>(line.size() + 1, 14), ' ');
    absl::StrAppend(&out_, line, value, "\n");
  }
  void below(const std::string& value) { absl::StrAppend(&out_, std::string(14, ' '), value, "\n"); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void addRouting(const Json& from, Lines& out) {
  const Json& listener = part(from, "listener");
  const Json& chain = part(from, "chain");
  const Json& request = part(from, "request");
  const Json& host = part(from, "virtual_host");
  const Json& route = part(from, "route");
  out.add("listener", absl::StrCat(text(listener, "name"), " on ", joined(part(listener, "addresses")),
                                   about(": ", text(listener, "why")), where(listener)));
  if (const std::string note = text(listener, "note"); !note.empty()) out.below(note);
  out.add("chain", absl::StrCat("#", text(chain, "index"), quoted(chain, "name"),
                                about(": ", joined(part(chain, "why"))), where(chain)));
  out.add("request",
          absl::StrCat(text(request, "method"), " ", text(request, "scheme"), "://", text(request, "authority"),
                       text(request, "path"), " from ", text(request, "client")));
  if (!host.empty()) {
    out.add("virtual host",
            absl::StrCat(text(host, "name"), about(" by domain ", text(host, "domain")),
                         about(", table ", text(host, "table")), about(", ", text(host, "scope")), where(host)));
  }
  if (!route.empty()) {
    out.add("route", absl::StrCat(route.contains("index") ? "#" + text(route, "index") : "", quoted(route, "name"),
                                  ": ", text(route, "matched"), where(route)));
    for (const Json& each : part(route, "passed")) {
      out.below(absl::StrCat("not #", text(each, "index"), quoted(each, "name"), ": ", text(each, "why")));
    }
    const std::string others = joined(part(route, "others_by_chance"));
    if (!others.empty()) out.below(absl::StrCat("by chance also ", others));
  }
  for (const Json& each : part(from, "near_misses")) {
    out.add("no route", absl::StrCat("not #", text(each, "index"), quoted(each, "name"), ": ", text(each, "why")));
  }
}

std::string levelsOf(const Json& filter) {
  std::string out;
  for (const Json& each : part(filter, "levels")) {
    absl::StrAppend(&out, out.empty() ? "" : "; ", text(each, "level"), quoted(each, "resource"),
                    flag(each, "disabled")   ? " disables it"
                    : flag(each, "settings") ? " has settings"
                                             : " enables it",
                    where(each));
  }
  return out;
}

void addFilters(const Json& from, bool access_only, Lines& out) {
  int number = 0;
  for (const Json& each : part(from, "filters")) {
    ++number;
    if (access_only && !flag(each, "access")) continue;
    out.add(absl::StrCat("filter ", number).c_str(),
            absl::StrCat(text(each, "name"), flag(each, "enabled") ? "" : " (off)", about(": ", text(each, "why")),
                         where(each)));
    if (const std::string levels = levelsOf(each); !levels.empty()) out.below(levels);
    const std::string settings = text(each, "settings");
    if (!settings.empty()) out.below(absl::StrCat("settings of the ", text(each, "settings_of"), ": ", settings));
    for (const Json& rule : part(each, "rules")) {
      const std::string line = text(part(rule, "place"), "line");
      const std::string at = line.empty() ? "" : absl::StrCat("  (", text(part(rule, "place"), "file"), ":", line, ")");
      out.below(text(rule, "text") + at);
    }
  }
}

void addForward(const Json& forward, Lines& out) {
  if (forward.empty()) return;
  const std::string cluster = text(forward, "cluster");
  out.add("cluster", absl::StrCat(cluster.empty() ? "one of these" : cluster, ", by ", text(forward, "decided_by")));
  for (const Json& each : part(forward, "shares")) {
    const std::string header = text(each, "header");
    out.below(absl::StrCat(flag(each, "chosen") ? "> " : "  ",
                           header.empty() ? text(each, "cluster") : absl::StrCat("named by header ", header), " ",
                           text(each, "weight"), " of ", text(each, "total"), " (", text(each, "percent"), "%)"));
  }
  out.add("sent as", absl::StrCat(text(forward, "authority"), text(forward, "path")));
  out.add("timeout", absl::StrCat(forward.contains("timeout") ? text(forward, "timeout") + " ms" : "none",
                                  about(", idle ", text(forward, "idle_timeout"), " ms"),
                                  about(", longest ", text(forward, "max_stream_duration"), " ms")));
  const Json& retry = part(forward, "retry");
  if (!retry.empty()) {
    out.add("retries", absl::StrCat(text(retry, "num_retries"), " on ", joined(part(retry, "on")),
                                    about(", per try ", text(retry, "per_try_timeout"), " ms"),
                                    about(", status ", joined(part(retry, "status_codes")))));
  }
  out.add("hash policy", joined(part(forward, "hash_policy")));
  for (const Json& each : part(forward, "mirrors")) {
    out.add("copies to", absl::StrCat(text(each, "cluster"), " (", text(each, "percent"), "%)"));
  }
}

void addChanges(const char* label, const Json& changes, Lines& out) {
  for (const Json& each : changes) {
    out.add(label, absl::StrCat(text(each, "action"), " ", text(each, "name"), about(": ", text(each, "value")), "  (",
                                text(each, "source"), ")"));
  }
}

void addClusters(const Json& clusters, Lines& out) {
  for (const Json& each : clusters) {
    out.add("hosts of",
            absl::StrCat(text(each, "name"), " (", text(each, "type"), ")", about(": ", text(each, "note"))));
    for (const Json& host : part(each, "hosts")) {
      out.below(absl::StrCat(text(host, "address"), about(" ", text(host, "hostname")), ", weight ",
                             text(host, "weight"), ", priority ", text(host, "priority"),
                             about(", ", text(host, "locality")), about(", ", text(host, "health")),
                             about(": ", text(host, "reason"))));
    }
  }
}

void addNotes(const Json& from, Lines& out) {
  for (const Json& each : part(from, "notes")) {
    if (each.is_string()) out.add("note", each.get<std::string>());
  }
}

}  // namespace

std::string toText(const Json& from) {
  Lines out;
  addRouting(from, out);
  addFilters(from, false, out);
  addChanges("request", part(from, "request_changes"), out);
  addForward(part(from, "forward"), out);
  addClusters(part(from, "clusters"), out);
  addChanges("response", part(from, "response_changes"), out);
  const Json& answer = part(from, "answer");
  if (!answer.empty()) {
    out.add("answer", absl::StrCat(text(answer, "status"), " ", text(answer, "details"),
                                   about(" to ", text(answer, "location")), about(": ", text(answer, "body"))));
  }
  addNotes(from, out);
  return out.take();
}

std::string policyText(const Json& from) {
  Lines out;
  addRouting(from, out);
  addFilters(from, true, out);
  bool any = false;
  for (const Json& each : part(from, "filters")) any = any || (flag(each, "access") && flag(each, "enabled"));
  if (!any) out.add("access", "no filter decides about it: everybody gets in");
  addNotes(from, out);
  return out.take();
}

}  // namespace sluice::explain
