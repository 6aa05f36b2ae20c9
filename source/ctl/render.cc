#include "source/ctl/render.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "source/base/text.h"
#include "source/observability/log.h"

namespace sluice::ctl {
namespace {

using nlohmann::json;

// Missing or of another kind: empty. An API of another version must not end the program. One line: much of it is what
// proxies say of themselves.
std::string textAt(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? observability::oneLine(found->get<std::string>())
                                                     : std::string();
}

int64_t numberAt(const json& object, const char* key) {
  if (!object.is_object()) return 0;
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

double realAt(const json& object, const char* key) {
  if (!object.is_object()) return 0;
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

bool flagAt(const json& object, const char* key) {
  if (!object.is_object()) return false;
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const json& at(const json& object, const char* key) {
  static const json kNothing = json::array();
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string dashIfEmpty(std::string text) {
  return text.empty() ? "-" : text;
}

std::string stateOf(const json& type) {
  if (!textAt(type, "refused").empty()) return "refused";
  if (flagAt(type, "up_to_date")) return "ok";
  return textAt(type, "version_sent").empty() ? "waiting" : "unanswered";
}

// The text of a NACK without what its reader knows: `a.b.Cluster "x": path: why; a.b.Cluster "y": ...` becomes
// "x at path: why, and more". A text of another form stays as it is.
std::string refusalOf(const std::string& word, const std::string& text) {
  const size_t quote = text.find(" \"");
  const size_t end = quote == std::string::npos ? quote : text.find("\": ", quote + 2);
  if (end == std::string::npos || text.find(' ') != quote || text.find('.') > quote) {
    return base::strCat(word, ": ", text);
  }
  std::string why = text.substr(end + 3);
  const size_t next = why.find("; " + text.substr(0, quote + 2));
  if (next != std::string::npos) why = why.substr(0, next) + ", and more";
  const size_t colon = why.find(": ");
  const bool has_path = colon != std::string::npos && why.find(' ') > colon;
  return base::strCat(word, " ", text.substr(quote + 2, end - quote - 2), has_path ? " at " : ": ", why);
}

// What a node says for itself that does not serve the newest.
std::string excuseOf(const json& node) {
  const std::string state = textAt(node, "state");
  if (state == "unanswered") return "did not answer yet";
  if (state == "nothing") {
    const std::string problem = textAt(node, "problem");
    return "get nothing new: " + (problem.empty() ? std::string("there is nothing to serve") : problem);
  }
  if (state == "refuses") {
    for (const auto& [word, type] : at(node, "types").items()) {
      const std::string refused = textAt(type, "refused");
      if (!refused.empty()) return "refused " + refusalOf(word, refused);
    }
    return "refused something";
  }
  for (const json& one : at(node, "waiting")) {
    return base::strCat("wait: ", textAt(one, "type"), " ", textAt(one, "name"), " waits for ",
                        textAt(one, "waits_for"));
  }
  return "have something old that is still to be removed";
}

// FILE:LINE:COLUMN: PATH: MESSAGE, with the parts that are known.
std::string lineOf(const json& error) {
  std::string text = textAt(error, "file");
  if (numberAt(error, "line") > 0) base::strAppend(text, ":", numberAt(error, "line"), ":", numberAt(error, "column"));
  for (const char* part : {"path", "message"}) {
    const std::string value = textAt(error, part);
    if (!value.empty()) base::strAppend(text, text.empty() ? "" : ": ", value);
  }
  return text + "\n";
}

std::string rateText(double rate) {
  return absl::StrFormat("%.1f", rate);
}

std::string shareText(double share) {
  return absl::StrFormat("%.2f%%", share * 100);
}

std::vector<std::string> loadCells(const json& load) {
  return {std::to_string(numberAt(load, "proxies")), rateText(realAt(load, "requests_per_second")),
          shareText(realAt(load, "error_share")), std::to_string(numberAt(load, "in_flight"))};
}

std::string loadLine(const json& load) {
  if (numberAt(load, "proxies") == 0) return "no proxy reports its load\n";
  return base::strCat(numberAt(load, "proxies"), " proxies report ", rateText(realAt(load, "requests_per_second")),
                      " requests/s, ", shareText(realAt(load, "error_share")), " errors, ", numberAt(load, "in_flight"),
                      " in flight, ", rateText(realAt(load, "dropped_per_second")), " dropped/s\n");
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string warningLines(const json& answer) {
  std::string text;
  for (const json& warning : at(answer, "warnings")) text += "warning: " + lineOf(warning);
  return text;
}

std::string renderStatus(const json& status) {
  std::vector<std::vector<std::string>> rows = {
      {"NODE", "CLUSTER", "ADDRESS", "TYPE", "SENT", "ACKNOWLEDGED", "STATE"}};
  std::string refusals;
  const json& nodes = at(status, "nodes");
  for (const json& node : nodes) {
    const std::string id = dashIfEmpty(textAt(node, "id"));
    const std::string problem = textAt(node, "problem");
    if (!problem.empty()) refusals += base::strCat(id, ": ", problem, "\n");
    const json& types = at(node, "types");
    if (types.empty())
      rows.push_back({id, textAt(node, "cluster"), textAt(node, "address"), "-", "-", "-", "connected"});
    for (const auto& [word, type] : types.items()) {
      rows.push_back({id, dashIfEmpty(textAt(node, "cluster")), textAt(node, "address"), word,
                      dashIfEmpty(textAt(type, "version_sent")), dashIfEmpty(textAt(type, "version_acknowledged")),
                      stateOf(type)});
      const std::string refused = textAt(type, "refused");
      if (!refused.empty()) refusals += base::strCat(id, " refuses ", word, ": ", refused, "\n");
    }
  }
  std::string text;
  if (!nodes.empty()) text += table(rows) + "\n";
  if (!refusals.empty()) text += refusals + "\n";
  for (const json& error : at(status, "errors")) text += lineOf(error);
  text += warningLines(status);
  const std::string version = textAt(status, "version");
  if (version.empty()) return text + base::strCat(textAt(status, "directory"), " was never good; nothing is served\n");
  if (!at(status, "errors").empty()) {
    text += base::strCat(textAt(status, "directory"), " has errors; the last good version goes on being served\n");
  }
  base::strAppend(text, fleetLine(status), "\n");
  return text + (status.is_object() && status.contains("load") ? loadLine(at(status, "load")) : "");
}

std::string fleetLine(const json& status) {
  const json& nodes = at(status, "nodes");
  std::map<std::string, size_t> excuses;
  for (const json& node : nodes) {
    if (textAt(node, "state") != "serves") ++excuses[excuseOf(node)];
  }
  std::string text = base::strCat(numberAt(status, "nodes_serving"), " of ", nodes.size(), " serve generation ",
                                  numberAt(status, "generation"), " (version ", textAt(status, "version"), ", ",
                                  numberAt(status, "resources"), " resources)");
  std::vector<std::pair<std::string, size_t>> most(excuses.begin(), excuses.end());
  std::stable_sort(most.begin(), most.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [excuse, count] : most) base::strAppend(text, "; ", count, " ", excuse);
  return text;
}

Wait judge(const json& status, const std::string& version) {
  // Not by the generation, which a control plane that was started again counts anew.
  if (textAt(status, "version") != version) return Wait::kReplaced;
  bool served = true;
  for (const json& node : at(status, "nodes")) {
    const std::string state = textAt(node, "state");
    if (state == "warming" || state == "unanswered") return Wait::kGoOn;
    served = served && state == "serves";
  }
  return served ? Wait::kServed : Wait::kNotServed;
}

std::string renderLoad(const json& load) {
  std::vector<std::vector<std::string>> rows = {
      {"CLUSTER", "LOCALITY", "PRIORITY", "PROXIES", "REQUESTS/S", "ERRORS", "IN FLIGHT", "DROPPED/S"}};
  const auto add = [&rows](std::vector<std::string> row, const json& of, std::string dropped) {
    for (std::string& cell : loadCells(of)) row.push_back(std::move(cell));
    row.push_back(std::move(dropped));
    rows.push_back(std::move(row));
  };
  for (const json& cluster : at(load, "clusters")) {
    const std::string name = textAt(cluster, "cluster");
    add({name, "all", "all"}, cluster, rateText(realAt(cluster, "dropped_per_second")));
    for (const json& place : at(cluster, "localities")) {
      add({name, dashIfEmpty(textAt(place, "locality")), std::to_string(numberAt(place, "priority"))}, place, "-");
    }
  }
  return (rows.size() > 1 ? table(rows) : "") + loadLine(at(load, "total"));
}

std::string renderResources(const json& resources) {
  std::vector<std::vector<std::string>> rows = {{"TYPE", "NAME", "VERSION", "FROM"}};
  for (const json& resource : at(resources, "resources")) {
    rows.push_back({textAt(resource, "type"), textAt(resource, "name"), textAt(resource, "version"),
                    base::strCat(textAt(resource, "file"), ":", numberAt(resource, "line"))});
  }
  return table(rows);
}

}  // namespace sluice::ctl
