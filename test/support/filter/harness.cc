#include "test/support/filter/harness.h"

#include <algorithm>

namespace sluice::filter::testing {

Fields fieldsOf(const http::HeaderList& headers) {
  Fields out;
  for (const http::Field& field : headers) out.emplace_back(field.name, field.value);
  return out;
}

// --- FakeClient

void FakeClient::sendInformational(const http::ResponseHeaders& headers) {
  log_.push_back("client informational " + std::to_string(headers.status));
}

void FakeClient::sendResponseHeaders(http::ResponseHeaders& response, bool end_stream) {
  ++heads;
  status = response.status;
  headers = fieldsOf(response);
  log_.push_back("client headers " + std::to_string(status) + (end_stream ? " end" : ""));
  if (end_stream) finish();
}

void FakeClient::sendResponseData(std::string_view data, bool end_stream) {
  body.append(data);
  log_.push_back("client data " + std::string(data) + (end_stream ? " end" : ""));
  if (end_stream) finish();
}

void FakeClient::sendResponseTrailers(http::Trailers& list) {
  trailers = fieldsOf(list);
  log_.push_back("client trailers");
  finish();
}

void FakeClient::resetStream(std::string_view details) {
  reset = details;
  log_.push_back("client reset " + reset);
  runner_->end();
}

void FakeClient::finish() {
  complete = true;
  credit_was_full =
      runner_->requestCredit() == ChainRunner::kWindow && runner_->responseCredit() == ChainRunner::kWindow;
  runner_->end();
}

// --- FakeTerminal

void FakeTerminal::requestHeaders(bool end_stream) {
  heard_late |= cancelled;
  ++heads;
  headers = fieldsOf(stream_->request());
  complete = end_stream;
  log_.push_back(end_stream ? "terminal headers end" : "terminal headers");
  if (on_headers) on_headers();
}

void FakeTerminal::requestData(std::string_view data, bool end_stream) {
  heard_late |= cancelled || complete;
  body.append(data);
  complete = end_stream;
  log_.push_back("terminal data " + std::string(data) + (end_stream ? " end" : ""));
}

void FakeTerminal::requestTrailers() {
  heard_late |= cancelled || complete;
  trailers = fieldsOf(stream_->requestTrailers());
  complete = true;
  log_.push_back("terminal trailers");
}

void FakeTerminal::cancel() {
  cancelled = true;
  log_.push_back("terminal cancel");
}

// --- Harness

std::vector<ChainConfig::Entry> entriesOf(std::vector<std::shared_ptr<const HttpFilterFactory>> factories) {
  std::vector<ChainConfig::Entry> entries;
  for (size_t i = 0; i < factories.size(); ++i) {
    entries.push_back({"f" + std::to_string(i), std::move(factories[i]), static_cast<route::FilterSlot>(i)});
  }
  return entries;
}

std::shared_ptr<const route::Table> tableOf(std::vector<std::shared_ptr<const route::PerFilterConfig>> settings) {
  route::RouteSpec route;
  route.path = "/";
  route.action = route::DirectResponseSpec{};
  for (size_t i = 0; i < settings.size(); ++i) {
    if (settings[i]) route.per_filter.emplace_back(static_cast<route::FilterSlot>(i), std::move(settings[i]));
  }
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
  host.routes.push_back(std::move(route));
  route::TableSpec spec;
  spec.virtual_hosts.push_back(std::move(host));
  return *route::Table::build(std::move(spec));
}

Harness::Harness(std::vector<ChainConfig::Entry> entries, std::shared_ptr<const route::Table> table)
    : stream(calls), client(log), terminal(log), config_(std::move(entries)), table_(std::move(table)) {
  base::Arena arena;
  http::RequestHeaders any(arena);
  any.path = "/";
  any.authority = "a.example";
  stream.setRoute(table_->match(any, 0));
  runner.emplace(config_, stream, client);
  client.runner_ = &*runner;
  terminal.attach(stream);
  runner->setTerminal(terminal);
}

void Harness::request(std::string_view method, const Fields& fields, bool end_stream) {
  http::RequestHeaders& headers = stream.request();
  headers.method = stream.arena().copy(method);
  if (headers.path.empty() && method != "CONNECT") headers.path = "/";
  if (headers.authority.empty()) headers.authority = "a.example";
  for (const auto& [name, value] : fields) headers.add(name, value);
  runner->requestHeaders(end_stream);
}

void Harness::requestTrailers(const Fields& fields) {
  for (const auto& [name, value] : fields) stream.requestTrailers().add(name, value);
  runner->requestTrailers();
}

void Harness::respond(uint16_t status, const Fields& fields, bool end_stream) {
  http::ResponseHeaders& headers = stream.response();
  headers.clear();
  headers.status = status;
  for (const auto& [name, value] : fields) headers.add(name, value);
  runner->responseHeaders(end_stream);
}

void Harness::responseTrailers(const Fields& fields) {
  for (const auto& [name, value] : fields) stream.responseTrailers().add(name, value);
  runner->responseTrailers();
}

// --- scripted filters

namespace {

class ScriptedFilter : public HttpFilter {
 public:
  explicit ScriptedFilter(const Script& script) : script_(script) {}

  HookResult onRequestHeaders(http::RequestHeaders& headers, Context& context) override {
    return run("request headers", script_.request_headers, headers, context);
  }
  HookResult onRequestData(Chunk& chunk, Context& context) override {
    return run("request data " + std::string(chunk.bytes()), script_.request_data, chunk, context);
  }
  HookResult onRequestBody(Body& body, Context& context) override {
    return run("request body " + std::string(body.bytes()), script_.request_body, body, context);
  }
  HookResult onRequestTrailers(http::Trailers& trailers, Context& context) override {
    return run("request trailers", script_.request_trailers, trailers, context);
  }
  HookResult onResponseHeaders(http::ResponseHeaders& headers, Context& context) override {
    return run("response headers", script_.response_headers, headers, context);
  }
  HookResult onResponseData(Chunk& chunk, Context& context) override {
    return run("response data " + std::string(chunk.bytes()), script_.response_data, chunk, context);
  }
  HookResult onResponseBody(Body& body, Context& context) override {
    return run("response body " + std::string(body.bytes()), script_.response_body, body, context);
  }
  HookResult onResponseTrailers(http::Trailers& trailers, Context& context) override {
    return run("response trailers", script_.response_trailers, trailers, context);
  }
  std::optional<Reply> onRouteChanged(const http::RequestHeaders&, Context& context) override {
    return script_.route_changed ? script_.route_changed(context) : std::nullopt;
  }
  void onStreamEnd(Context& context) override {
    if (script_.stream_end) script_.stream_end(context);
  }

 private:
  template <typename Hook, typename Message>
  HookResult run(const std::string& what, const Hook& hook, Message& message, Context& context) {
    if (script_.log != nullptr) script_.log->push_back(script_.name + "." + what);
    return hook ? hook(message, context) : HookResult(Next{});
  }
  const Script& script_;
};

class ScriptedFactory : public HttpFilterFactory {
 public:
  explicit ScriptedFactory(const Script& script) : script_(script) {}
  uint8_t hooks() const override { return script_.hooks; }
  HttpFilter* create(base::Arena& arena) const override { return makeIn<ScriptedFilter>(arena, script_); }

 private:
  const Script& script_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> scripted(const Script& script) {
  return std::make_shared<ScriptedFactory>(script);
}

}  // namespace sluice::filter::testing
