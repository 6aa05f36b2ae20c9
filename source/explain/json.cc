#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "source/explain/explain.h"

namespace sluice::explain {
namespace {

using Json = nlohmann::ordered_json;

// Objects whose parts that say nothing are left out.
class Object {
 public:
  Object& text(const char* name, const std::string& value) {
    if (!value.empty()) json_[name] = value;
    return *this;
  }
  template <typename Value>
  Object& value(const char* name, const Value& value) {
    json_[name] = value;
    return *this;
  }
  Object& flag(const char* name, bool value) {
    if (value) json_[name] = true;
    return *this;
  }
  Object& json(const char* name, Json value) {
    if (!value.empty()) json_[name] = std::move(value);
    return *this;
  }
  Object& limit(const char* name, std::optional<std::chrono::milliseconds> value) {
    if (value && value->count() > 0) json_[name] = value->count();
    return *this;
  }
  Json take() { return std::move(json_); }

 private:
  Json json_ = Json::object();
};

template <typename Items, typename Make>
Json list(const Items& items, Make make) {
  Json out = Json::array();
  for (const auto& each : items) out.push_back(make(each));
  return out;
}

Json place(const Place& from) {
  Object out;
  out.text("path", from.path).text("file", from.file);
  if (from.line > 0) out.value("line", from.line).value("column", from.column);
  return out.take();
}

Json passed(const PassedRoute& from) {
  return Object().value("index", from.index).text("name", from.name).text("why", from.why).take();
}

Json change(const HeaderChange& from) {
  return Object()
      .text("action", from.action)
      .text("name", from.name)
      .text("value", from.value)
      .text("source", from.source)
      .take();
}

Json share(const Share& from) {
  return Object()
      .text("cluster", from.cluster)
      .text("header", from.header)
      .value("weight", from.weight)
      .value("total", from.total)
      .value("percent", from.percent())
      .flag("chosen", from.chosen)
      .take();
}

Json retry(const RetryPart& from) {
  return Object()
      .value("on", from.on)
      .value("num_retries", from.num_retries)
      .limit("per_try_timeout", from.per_try_timeout)
      .limit("per_try_idle_timeout", from.per_try_idle_timeout)
      .limit("base_interval", from.base_interval)
      .limit("max_interval", from.max_interval)
      .json("status_codes", from.status_codes)
      .take();
}

Json forward(const ForwardPart& from) {
  const auto mirror = [](const MirrorPart& each) {
    return Object().text("cluster", each.cluster).value("percent", each.percent).take();
  };
  return Object()
      .text("cluster", from.cluster)
      .text("decided_by", from.decided_by)
      .json("shares", list(from.shares, share))
      .text("authority", from.authority)
      .text("path", from.path)
      .text("priority", from.priority)
      .limit("timeout", from.timeout)
      .limit("idle_timeout", from.idle_timeout)
      .limit("max_stream_duration", from.max_stream_duration)
      .json("retry", from.retry ? retry(*from.retry) : Json())
      .json("hash_policy", from.hash_policy)
      .json("mirrors", list(from.mirrors, mirror))
      .take();
}

Json filter(const FilterPart& from) {
  const auto level = [](const FilterLevel& each) {
    return Object()
        .text("level", each.level)
        .text("resource", each.resource)
        .flag("disabled", each.disabled)
        .flag("settings", each.settings)
        .json("place", place(each.place))
        .take();
  };
  const auto rule = [](const FilterRule& each) {
    return Object().text("text", each.text).json("place", place(each.place)).take();
  };
  const Json settings = Json::parse(from.settings, nullptr, /*allow_exceptions=*/false);
  return Object()
      .text("name", from.name)
      .text("type", from.type)
      .value("enabled", from.enabled)
      .text("why", from.why)
      .flag("access", from.access)
      .json("levels", list(from.levels, level))
      .text("settings_of", from.settings_of)
      .json("settings", settings.is_discarded() ? Json() : settings)
      .json("rules", list(from.rules, rule))
      .json("place", place(from.place))
      .take();
}

Json cluster(const Cluster& from) {
  const auto host = [](const Host& each) {
    return Object()
        .text("address", each.address)
        .text("hostname", each.hostname)
        .value("weight", each.weight)
        .value("priority", each.priority)
        .text("locality", each.locality)
        .text("health", each.health)
        .text("reason", each.reason)
        .take();
  };
  return Object()
      .text("name", from.name)
      .text("type", from.type)
      .value("hosts", list(from.hosts, host))
      .text("note", from.note)
      .text("path", from.path)
      .take();
}

Json listener(const ListenerPart& from) {
  return Object()
      .text("name", from.name)
      .json("addresses", from.addresses)
      .text("why", from.why)
      .text("note", from.note)
      .json("place", place(from.place))
      .take();
}

Json chain(const ChainPart& from) {
  return Object()
      .text("name", from.name)
      .value("index", from.index)
      .flag("is_default", from.is_default)
      .json("why", from.why)
      .flag("tls", from.tls)
      .json("place", place(from.place))
      .take();
}

Json request(const RequestPart& from) {
  return Object()
      .text("method", from.method)
      .text("scheme", from.scheme)
      .text("authority", from.authority)
      .text("path", from.path)
      .text("host", from.host)
      .text("client", from.client)
      .take();
}

Json virtualHost(const VirtualHostPart& from) {
  return Object()
      .text("name", from.name)
      .text("domain", from.domain)
      .text("table", from.table)
      .text("scope", from.scope)
      .json("place", place(from.place))
      .take();
}

Json routeOf(const RoutePart& from) {
  Object out;
  out.text("name", from.name);
  if (from.index) out.value("index", *from.index);
  return out.text("matched", from.matched)
      .json("passed", list(from.passed, passed))
      .json("others_by_chance", from.others_by_chance)
      .json("place", place(from.place))
      .take();
}

Json answerOf(const Answer& from) {
  return Object()
      .value("status", from.status)
      .text("details", from.details)
      .text("location", from.location)
      .text("body", from.body)
      .take();
}

}  // namespace

Json toJson(const Explanation& from) {
  return Object()
      .json("listener", listener(from.listener))
      .json("chain", chain(from.chain))
      .json("request", request(from.request))
      .json("virtual_host", from.virtual_host ? virtualHost(*from.virtual_host) : Json())
      .json("route", from.route ? routeOf(*from.route) : Json())
      .json("near_misses", list(from.near_misses, passed))
      .json("answer", from.answer ? answerOf(*from.answer) : Json())
      .json("forward", from.forward ? forward(*from.forward) : Json())
      .json("request_changes", list(from.request_changes, change))
      .json("response_changes", list(from.response_changes, change))
      .json("filters", list(from.filters, filter))
      .json("clusters", list(from.clusters, cluster))
      .json("notes", from.notes)
      .take();
}

}  // namespace sluice::explain
