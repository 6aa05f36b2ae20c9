// Runs a script over requests and responses.
// (proto: envoy.extensions.filters.http.lua.v3.Lua, LuaPerRoute; sluice.extensions.filters.http.lua.v1.Lua)
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/extensions/filters/http/lua/machine.h"
#include "source/extensions/filters/http/lua/run.h"
#include "source/filter/calls.h"
#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/worker/local.h"

namespace sluice::extensions::http_filters::lua {

// A script, with a machine on each worker that runs it.
class Script {
 public:
  Script(std::string code, std::string name, const Limits& limits, observability::Logger* logger,
         worker::LocalSlots slots);
  // Null: it did not load on this worker, for want of memory.
  Machine* machine(worker::WorkerServices& worker) const;
  const std::string& name() const { return name_; }

 private:
  struct OfWorker {
    std::unique_ptr<Machine> machine;
  };
  const std::string name_;
  const worker::WorkerLocal<OfWorker> machines_;
};

// Compiled configuration; shared by all streams and workers.
struct Settings {
  std::shared_ptr<const Script> script;                                            // null: only routes have some
  std::map<std::string, std::shared_ptr<const Script>, std::less<>> scripts = {};  // that routes name
  bool fails_open = false;          // a message whose script failed goes on as it is
  bool clear_route_cache = true;    // a changed head chooses the route anew
  size_t body_limit = 1024 * 1024;  // of a body that a script wants whole, bytes
  observability::Logger* logger = nullptr;
  observability::Counter errors, executions;
};

// (proto: LuaPerRoute)
struct RouteSettings final : route::PerFilterConfig {
  bool off = false;
  std::string name = {};                               // one of Settings::scripts; empty: none
  std::shared_ptr<const Script> script = {};           // null: none of its own
  std::optional<stream::MetadataFields> context = {};  // for filterContext()
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  // Which part of a message is here.
  enum class Part : uint8_t { kHead, kBody, kChunk, kTrailers };
  // What is to become of the part.
  enum class Then : uint8_t { kGoesOn, kCollects, kWaits, kAnswers, kFailed };

  // One direction's run.
  struct Half {
    std::optional<Run> run;  // nullopt: the script has no function for it
    Part part = Part::kHead;
    filter::ResumeToken token;  // while the part waits for a call
    std::unique_ptr<filter::Call> call;
    std::string kept;  // the part's bytes meanwhile
  };

  Half& half(Side side) { return halves_[static_cast<size_t>(side)]; }
  // Null: none is to run. Nothing: the route names one that the filter does not have.
  std::optional<const Script*> chooseScript(filter::Context& context);
  filter::HookResult begin(Side side, bool headers_only, filter::Context& context);
  filter::HookResult chunk(Side side, filter::Chunk& chunk);
  filter::HookResult body(Side side, filter::Body& body);
  filter::HookResult trailers(Side side);
  Then go(Half& half);
  Then fail(Half& half);
  filter::HookResult act(Half& half, Then then);
  filter::Reply replyOf(Half& half, Then then) const;
  void ask(Half& half);
  void answered(Half& half, filter::HttpCallResponse answer);
  // The part goes on: what in its place, if the script has changed it.
  static std::optional<std::string> leave(Half& half);
  // The request, whose head is still here, is to be routed by what the script has made of it.
  bool routesAnew(const Half& half) const;

  const Settings& settings_;
  const RouteSettings* route_ = nullptr;
  Half halves_[2];
  bool refused_ = false;  // because there is no script to ask
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::lua
