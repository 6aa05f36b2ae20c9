#include "source/ctl/expectations.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "source/base/text.h"
#include "source/config/document.h"
#include "source/config/loader.h"

namespace sluice::ctl {
namespace {

using config::DocumentNode;
using Kind = DocumentNode::Kind;

// Shares are told rounded.
constexpr double kSamePercent = 0.05;

class Reader {
 public:
  Reader(const std::string& file, config::ErrorList& errors) : file_(file), errors_(errors) {}

  Expectations read(const DocumentNode& root) {
    Expectations out;
    bool has_tests = false;
    forEach(root, "", [&](const std::string& key, const DocumentNode& value, const std::string& path) {
      if (key == "config") return setText(out.config, value, path);
      if (key != "tests") return unknown(value, path, "config, tests");
      has_tests = true;
      if (value.kind != Kind::kSequence) return error(value, path, "is to be a list of tests");
      for (size_t i = 0; i < value.items.size(); ++i) {
        out.tests.push_back(readTest(*value.items[i], base::strCat(path, "[", i, "]")));
      }
    });
    if (!has_tests || (out.tests.empty() && errors_.empty())) error(root, "tests", "has no test; add one");
    return out;
  }

 private:
  void error(const DocumentNode& at, const std::string& path, const std::string& message) {
    errors_.add({.file = file_, .line = at.line, .column = at.column, .path = path, .rule = "", .message = message});
  }
  void unknown(const DocumentNode& at, const std::string& path, const std::string& known) {
    error(at, path, "is not known here; use one of: " + known);
  }

  template <typename Visit>
  void forEach(const DocumentNode& node, const std::string& path, Visit visit) {
    if (node.kind != Kind::kMapping) return error(node, path, "is to be a mapping");
    std::set<std::string> seen;
    for (const DocumentNode::Entry& entry : node.entries) {
      const std::string& key = entry.key->text;
      const std::string at = path.empty() ? key : base::strCat(path, ".", key);
      if (!seen.insert(key).second) {
        error(*entry.key, at, "stands here twice; remove one");
      } else {
        visit(key, *entry.value, at);
      }
    }
  }

  void setText(std::string& out, const DocumentNode& node, const std::string& path) {
    if (node.kind != Kind::kString) return error(node, path, "is to be a text; write it in quotes");
    out = node.text;
  }
  void setText(std::optional<std::string>& out, const DocumentNode& node, const std::string& path) {
    setText(out.emplace(), node, path);
  }

  Expectation readTest(const DocumentNode& node, const std::string& path) {
    Expectation out;
    out.line = node.line;
    bool has_request = false, has_expect = false;
    forEach(node, path, [&](const std::string& key, const DocumentNode& value, const std::string& at) {
      if (key == "name") return setText(out.name, value, at);
      if (key == "request") return has_request = true, readRequest(out, value, at);
      if (key == "expect") return has_expect = true, readExpect(out, value, at);
      unknown(value, at, "name, request, expect");
    });
    if (node.kind != Kind::kMapping) return out;
    if (!has_request) error(node, path, "has no request");
    if (!has_expect) error(node, path, "has no expect");
    if (out.name.empty()) out.name = out.asked;
    return out;
  }

  void readRequest(Expectation& out, const DocumentNode& node, const std::string& path) {
    std::string method = "GET", url;
    explain::Parameters parameters;
    forEach(node, path, [&](const std::string& key, const DocumentNode& value, const std::string& at) {
      if (key == "method") return setText(method, value, at);
      if (key == "url") return setText(url, value, at);
      if (key == "headers") return readRequestHeaders(parameters, value, at);
      if (key != "source" && key != "sni" && key != "listener") {
        return unknown(value, at, "method, url, headers, source, sni, listener");
      }
      setText(parameters.emplace_back(key, "").second, value, at);
    });
    if (node.kind != Kind::kMapping) return;
    if (url.empty()) return error(node, path, "has no url; write url: https://host/path");
    out.asked = base::strCat(method, " ", url);
    parameters.emplace_back("request", out.asked);
    absl::StatusOr<explain::Request> request = explain::requestOf(parameters);
    if (!request.ok()) return error(node, path, std::string(request.status().message()));
    out.request = *std::move(request);
  }

  void readRequestHeaders(explain::Parameters& out, const DocumentNode& node, const std::string& path) {
    forEach(node, path, [&](const std::string& name, const DocumentNode& value, const std::string& at) {
      const std::vector<const DocumentNode*> one = {&value};
      for (const DocumentNode* each : value.kind == Kind::kSequence ? value.items : one) {
        if (const auto text = headerValue(*each, at)) out.emplace_back("header", base::strCat(name, ": ", *text));
      }
    });
  }

  std::optional<std::string> headerValue(const DocumentNode& node, const std::string& path) {
    if (node.kind == Kind::kString || node.kind == Kind::kInteger) return node.text;
    error(node, path, "is to be a text; write it in quotes");
    return std::nullopt;
  }

  void readExpect(Expectation& out, const DocumentNode& node, const std::string& path) {
    const std::map<std::string, std::optional<std::string>*> texts = {
        {"listener", &out.listener}, {"filter_chain", &out.filter_chain}, {"virtual_host", &out.virtual_host},
        {"route", &out.route},       {"cluster", &out.cluster},           {"path", &out.path},
        {"redirect", &out.redirect}};
    forEach(node, path, [&](const std::string& key, const DocumentNode& value, const std::string& at) {
      if (const auto text = texts.find(key); text != texts.end()) return setText(*text->second, value, at);
      if (key == "status") return readStatus(out, value, at);
      if (key == "clusters") return readClusters(out, value, at);
      if (key == "filters") return readFilters(out, value, at);
      if (key == "request_headers") return readChanges(out.request_headers, value, at);
      if (key == "response_headers") return readChanges(out.response_headers, value, at);
      unknown(value, at,
              "cluster, clusters, status, redirect, route, virtual_host, listener, filter_chain, path, filters, "
              "request_headers, response_headers");
    });
    if (node.kind == Kind::kMapping && node.entries.empty()) error(node, path, "expects nothing");
  }

  void readStatus(Expectation& out, const DocumentNode& node, const std::string& path) {
    int64_t status = 0;
    const bool number = node.kind == Kind::kInteger && absl::SimpleAtoi(base::toAbsl(node.text), &status);
    if (!number || status < 100 || status > 599) return error(node, path, "is to be a status of HTTP, 100 to 599");
    out.status = status;
  }

  void readClusters(Expectation& out, const DocumentNode& node, const std::string& path) {
    forEach(node, path, [&](const std::string& name, const DocumentNode& value, const std::string& at) {
      double percent = 0;
      const bool scalar = value.kind == Kind::kInteger || value.kind == Kind::kNumber || value.kind == Kind::kString;
      const bool number = scalar && absl::SimpleAtod(base::toAbsl(value.text), &percent);
      if (!number || !(percent >= 0 && percent <= 100)) return error(value, at, "is to be a percentage, 0 to 100");
      out.clusters[name] = percent;
    });
  }

  void readFilters(Expectation& out, const DocumentNode& node, const std::string& path) {
    forEach(node, path, [&](const std::string& name, const DocumentNode& value, const std::string& at) {
      const bool known = value.kind == Kind::kString && (value.text == "enabled" || value.text == "disabled");
      if (!known) return error(value, at, "is to be enabled or disabled");
      out.filters[name] = value.text == "enabled";
    });
  }

  void readChanges(std::map<std::string, std::optional<std::string>>& out, const DocumentNode& node,
                   const std::string& path) {
    forEach(node, path, [&](const std::string& name, const DocumentNode& value, const std::string& at) {
      std::optional<std::string>& change = out[absl::AsciiStrToLower(base::toAbsl(name))];
      if (value.kind != Kind::kNull) change = headerValue(value, at);
    });
  }

  const std::string& file_;
  config::ErrorList& errors_;
};

std::string quoted(std::string_view text) {
  return base::strCat("'", text, "'");
}

std::string percentText(double percent) {
  const auto tenths = static_cast<int64_t>(std::llround(percent * 10));
  return tenths % 10 == 0 ? base::strCat(tenths / 10, "%") : base::strCat(tenths / 10, ".", tenths % 10, "%");
}

std::string destinationOf(const explain::Explanation& came) {
  if (came.answer) {
    return base::strCat("an answer ", came.answer->status,
                        came.answer->details.empty() ? "" : base::strCat(" (", came.answer->details, ")"));
  }
  if (!came.forward) return "nothing";
  if (!came.forward->cluster.empty()) return quoted(came.forward->cluster);
  std::string out = "a split:";
  for (const explain::Share& share : came.forward->shares) {
    base::strAppend(out, " ", share.cluster.empty() ? "header " + share.header : share.cluster, " ",
                    percentText(share.percent()));
  }
  return out;
}

class Comparison {
 public:
  explicit Comparison(const explain::Explanation& came) : came_(came) {}

  void text(std::string_view what, const std::optional<std::string>& expected, const std::string& came) {
    if (expected && *expected != came) {
      out.push_back(base::strCat(what, ": ", came.empty() ? "none" : quoted(came), " instead of ", quoted(*expected)));
    }
  }

  void destination(const Expectation& expected) {
    const std::string& cluster = came_.forward ? came_.forward->cluster : std::string();
    if (expected.cluster && (came_.answer || cluster != *expected.cluster)) {
      out.push_back(base::strCat("cluster: ", destinationOf(came_), " instead of ", quoted(*expected.cluster)));
    }
    if (expected.status && (!came_.answer || came_.answer->status != *expected.status)) {
      out.push_back(base::strCat("status: ", destinationOf(came_), " instead of ", *expected.status));
    }
    if (!expected.clusters.empty()) split(expected.clusters);
  }

  void filters(const std::map<std::string, bool>& expected) {
    for (const auto& [name, enabled] : expected) {
      const auto found =
          std::find_if(came_.filters.begin(), came_.filters.end(),
                       [&name = name](const explain::FilterPart& filter) { return filter.name == name; });
      if (found == came_.filters.end()) {
        out.push_back(base::strCat("filter ", quoted(name), ": the chain has none of this name"));
      } else if (found->enabled != enabled) {
        out.push_back(base::strCat("filter ", quoted(name), ": ", found->enabled ? "enabled" : "disabled",
                                   " instead of ", enabled ? "enabled" : "disabled",
                                   found->why.empty() ? "" : base::strCat(" (", found->why, ")")));
      }
    }
  }

  void headers(std::string_view what, const std::map<std::string, std::optional<std::string>>& expected,
               const std::vector<explain::HeaderChange>& changes) {
    for (const auto& [name, value] : expected) {
      bool met = false;
      std::string others;
      for (const explain::HeaderChange& change : changes) {
        if (change.name != name) continue;
        const bool removes = change.action == "remove";
        met |= value ? !removes && change.value == *value : removes;
        base::strAppend(others, others.empty() ? "" : ", ", removes ? "it is removed" : quoted(change.value));
      }
      if (met) continue;
      out.push_back(base::strCat(what, " ", name, ": ", others.empty() ? "no change" : others, " instead of ",
                                 value ? quoted(*value) : "its removal"));
    }
  }

  std::vector<std::string> out;

 private:
  void split(const std::map<std::string, double>& expected) {
    std::map<std::string, double> shares;
    if (came_.forward) {
      for (const explain::Share& share : came_.forward->shares) shares[share.cluster] += share.percent();
      if (shares.empty() && !came_.forward->cluster.empty()) shares[came_.forward->cluster] = 100;
    }
    bool same = shares.size() == expected.size();
    std::string wanted;
    for (const auto& [name, percent] : expected) {
      const auto found = shares.find(name);
      same = same && found != shares.end() && std::abs(found->second - percent) < kSamePercent;
      base::strAppend(wanted, wanted.empty() ? "" : " ", name, " ", percentText(percent));
    }
    if (!same) out.push_back(base::strCat("clusters: ", destinationOf(came_), " instead of ", wanted));
  }

  const explain::Explanation& came_;
};

std::string placeText(const explain::Place& place) {
  return place.file.empty() || place.line == 0 ? std::string()
                                               : base::strCat(" at ", place.file, ":", place.line, ":", place.column);
}

std::string routeLabel(const std::string& name, size_t index) {
  return name.empty() ? base::strCat("routes[", index, "]") : base::strCat("route ", quoted(name));
}

std::string passedText(const std::vector<explain::PassedRoute>& passed) {
  constexpr size_t kTold = 3;
  std::string out;
  for (size_t i = 0; i < std::min(kTold, passed.size()); ++i) {
    base::strAppend(out, "; not ", routeLabel(passed[i].name, passed[i].index), ": ", passed[i].why);
  }
  return out;
}

// XML 1.0 has no other control characters, not even escaped.
std::string xmlText(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '&') {
      out += "&amp;";
    } else if (byte == '<') {
      out += "&lt;";
    } else if (byte == '>') {
      out += "&gt;";
    } else if (byte == '"') {
      out += "&quot;";
    } else if (byte == '\n') {
      out += "&#10;";
    } else {
      out.push_back(code < 0x20 || code == 0x7f ? '?' : byte);
    }
  }
  return out;
}

}  // namespace

std::optional<Expectations> readExpectations(const std::string& file, std::string_view text,
                                             config::ErrorList& errors) {
  config::Document document;
  const bool parsed = config::formatOf(file) == config::Format::kJson ? document.parseJson(text, file, errors)
                                                                      : document.parseYaml(text, file, errors);
  if (!parsed) return std::nullopt;
  Expectations out = Reader(file, errors).read(document.root());
  if (!errors.empty()) return std::nullopt;
  return out;
}

std::vector<std::string> differences(const Expectation& expected, const explain::Explanation& came) {
  Comparison comparison(came);
  comparison.text("listener", expected.listener, came.listener.name);
  comparison.text("filter_chain", expected.filter_chain, came.chain.name);
  comparison.text("virtual_host", expected.virtual_host, came.virtual_host ? came.virtual_host->name : "");
  comparison.text("route", expected.route, came.route ? came.route->name : "");
  comparison.destination(expected);
  comparison.text("path", expected.path, came.forward ? came.forward->path : "");
  comparison.text("redirect", expected.redirect, came.answer ? came.answer->location : "");
  comparison.filters(expected.filters);
  comparison.headers("request header", expected.request_headers, came.request_changes);
  comparison.headers("response header", expected.response_headers, came.response_changes);
  return std::move(comparison.out);
}

std::string reasonOf(const explain::Explanation& came) {
  std::string out = base::strCat("listener ", quoted(came.listener.name));
  if (!came.virtual_host) return base::strCat(out, ": no virtual host has ", quoted(came.request.host));
  base::strAppend(out, ", virtual host ", quoted(came.virtual_host->name));
  if (!came.virtual_host->domain.empty()) base::strAppend(out, " (", came.virtual_host->domain, ")");
  if (!came.route) return base::strCat(out, ": no route takes it", passedText(came.near_misses));
  if (!came.route->index) return base::strCat(out, ", by its require_tls");
  base::strAppend(out, ", ", routeLabel(came.route->name, *came.route->index), " (", came.route->matched, ")",
                  placeText(came.route->place));
  return out + passedText(came.route->passed);
}

std::string junitOf(std::string_view suite, const std::vector<TestResult>& results) {
  const auto failed = std::count_if(results.begin(), results.end(),
                                    [](const TestResult& result) { return !result.differences.empty(); });
  std::string out = base::strCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"",
                                 xmlText(suite), "\" tests=\"", results.size(), "\" failures=\"", failed, "\">\n");
  for (const TestResult& result : results) {
    base::strAppend(out, "<testcase classname=\"", xmlText(suite), "\" name=\"", xmlText(result.test->name), "\"");
    if (result.differences.empty()) {
      out += "/>\n";
      continue;
    }
    std::string all = result.test->asked;
    for (const std::string& difference : result.differences) base::strAppend(all, "\n", difference);
    base::strAppend(out, ">\n<failure message=\"", xmlText(result.differences.front()), "\">",
                    xmlText(base::strCat(all, "\n", result.why)), "</failure>\n</testcase>\n");
  }
  return out + "</testsuite>\n</testsuites>\n";
}

}  // namespace sluice::ctl
