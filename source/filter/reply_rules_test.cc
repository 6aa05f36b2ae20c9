#include "source/filter/reply_rules.h"

#include <catch2/catch.hpp>

#include "test/support/filter/harness.h"

namespace sluice::filter {
namespace {

using testing::Fields;
using testing::Harness;

// Takes answers with one status.
struct OfStatus : stream::AccessLogFilter {
  explicit OfStatus(uint16_t status) : status(status) {}
  bool admits(const stream::FormatContext& context) const override { return context.info.response_code == status; }
  const uint16_t status;
};

// Takes answers with one flag, and those that have a field.
struct OfFlag : stream::AccessLogFilter {
  explicit OfFlag(stream::ResponseFlag flag) : flag(flag) {}
  bool admits(const stream::FormatContext& context) const override { return context.info.response_flags.has(flag); }
  const stream::ResponseFlag flag;
};

std::shared_ptr<const stream::BodyFormat> text(std::string_view format, std::string type = "text/plain") {
  auto formatter =
      stream::TextFormatter::compile(format, {.omit_empty_values = false, .escape = stream::Escape::kNone});
  REQUIRE(formatter.ok());
  return std::make_shared<const stream::BodyFormat>(
      stream::BodyFormat{std::make_shared<const stream::TextFormatter>(*std::move(formatter)), std::move(type)});
}

std::shared_ptr<const stream::BodyFormat> json(const stream::MetadataFields& object) {
  auto formatter = stream::JsonFormatter::compile(object);
  REQUIRE(formatter.ok());
  return std::make_shared<const stream::BodyFormat>(
      stream::BodyFormat{std::make_shared<const stream::JsonFormatter>(*std::move(formatter)), "application/json"});
}

ReplyRule ofStatus(uint16_t status) {
  return {.filter = std::make_shared<OfStatus>(status)};
}

// What a client gets of an answer under rules.
struct Answered {
  Answered(const ReplyRules& rules, Reply reply, std::string_view method = "GET", const Fields& fields = {}) {
    h.client.mapper = &rules;
    h.request(method, fields, true);
    h.runner->localReply(std::move(reply));
  }
  Harness h{std::vector<std::shared_ptr<const HttpFilterFactory>>{}};
};

std::vector<ReplyRule> rulesOf(ReplyRule rule) {
  std::vector<ReplyRule> out;
  out.push_back(std::move(rule));
  return out;
}

TEST_CASE("the first rule that takes an answer changes it, and no other does") {
  std::vector<ReplyRule> list;
  list.push_back(ofStatus(404));
  list.back().status = 500;
  list.back().body = "missing";
  list.push_back(ofStatus(500));
  list.back().body = "never";
  const ReplyRules rules(std::move(list), nullptr);

  Answered answered(rules, Reply{404, "no route", "route_not_found"});

  CHECK(answered.h.client.status == 500);
  CHECK(answered.h.client.body == "missing");
  CHECK(answered.h.client.headers == Fields{{"content-length", "7"}, {"content-type", "text/plain"}});
}

TEST_CASE("a CONNECT that is refused does not look accepted") {
  std::vector<ReplyRule> list = rulesOf(ofStatus(403));
  list.back().status = 200;
  const ReplyRules rules(std::move(list), nullptr);
  CHECK(Answered(rules, Reply{403, "", "upgrade_failed"}, "CONNECT").h.client.status == 403);
  CHECK(Answered(rules, Reply{403, "", "denied"}).h.client.status == 200);
}

TEST_CASE("an answer that no rule takes gets the format of all") {
  const ReplyRules rules(rulesOf(ofStatus(404)), text("%RESPONSE_CODE%: %LOCAL_REPLY_BODY% at %REQ(:path)%\n"));
  Answered answered(rules, Reply{503, "no upstream", "no_healthy_upstream"});
  CHECK(answered.h.client.body == "503: no upstream at /\n");
}

TEST_CASE("an answer that was asked for stays as it is") {
  std::vector<ReplyRule> list = rulesOf(ofStatus(200));
  list.back().body = "never";
  const ReplyRules rules(std::move(list), text("never"));
  Reply reply{200, "wanted", "why"};
  reply.as_asked = true;

  CHECK(Answered(rules, std::move(reply)).h.client.body == "wanted");
}

TEST_CASE("formats see the status and body after the rule, and the flag and details of the answer") {
  ReplyRule rule{.filter = std::make_shared<OfFlag>(stream::ResponseFlag::kNoHealthyUpstream)};
  rule.status = 401;
  rule.body = "new";
  rule.format = text("%RESPONSE_CODE% %RESP(:status)% %LOCAL_REPLY_BODY% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%");
  const ReplyRules rules(rulesOf(std::move(rule)), text("never"));

  Answered answered(rules, Reply{503, "old", "why", {}, stream::ResponseFlag::kNoHealthyUpstream});

  CHECK(answered.h.client.status == 401);
  CHECK(answered.h.client.body == "401 401 new UH why");
}

TEST_CASE("fields are added by their own rules, and values may come from the request") {
  ReplyRule rule = ofStatus(403);
  using Action = route::HeaderAddition::Action;
  rule.headers.add = {{.name = "x-why", .value = "2", .action = Action::kAppendIfExistsOrAdd},
                      {.name = "x-once", .value = "new", .action = Action::kOverwriteIfExistsOrAdd},
                      {.name = "x-kept", .value = "new", .action = Action::kAddIfAbsent}};
  const ReplyRules rules(rulesOf(std::move(rule)), nullptr);

  Answered answered(rules, Reply{403, "", "denied", {{"x-why", "1"}, {"x-once", "old"}, {"x-kept", "old"}}});

  CHECK(answered.h.client.headers ==
        Fields{{"content-length", "0"}, {"x-why", "1"}, {"x-once", "new"}, {"x-kept", "old"}, {"x-why", "2"}});
}

TEST_CASE("the content-type is that of the body: of the format, of the rule's fields, or as it was") {
  const auto typeOf = [](const ReplyRules& rules, const std::string& body) {
    Answered answered(rules, Reply{403, body, "denied", {{"content-type", "text/html"}}});
    std::string out;
    for (const auto& [name, value] : answered.h.client.headers) {
      if (name == "content-type") out += value + ";";
    }
    return out;
  };
  CHECK(typeOf(ReplyRules({}, nullptr), "<p>") == "text/html;");
  CHECK(typeOf(ReplyRules({}, text("%LOCAL_REPLY_BODY%")), "<p>") == "text/html;");
  CHECK(typeOf(ReplyRules({}, text("x", "text/css")), "<p>") == "text/css;");
  ReplyRule own = ofStatus(403);
  own.body = "y";
  own.headers.add = {{.name = "content-type",
                      .value = "text/x-own",
                      .action = route::HeaderAddition::Action::kOverwriteIfExistsOrAdd}};
  CHECK(typeOf(ReplyRules(rulesOf(std::move(own)), nullptr), "<p>") == "text/x-own;");
}

TEST_CASE("a format of JSON makes a JSON body in which numbers stay numbers") {
  const ReplyRules rules(
      {}, json({{"code", {std::string("%RESPONSE_CODE%")}}, {"body", {std::string("%LOCAL_REPLY_BODY%")}}}));
  Answered answered(rules, Reply{503, "say \"no\"", "why"});
  CHECK(answered.h.client.body == "{\"body\":\"say \\\"no\\\"\",\"code\":503}\n");
  CHECK(answered.h.client.headers == Fields{{"content-length", "33"}, {"content-type", "application/json"}});
}

TEST_CASE("a gRPC client gets the body as message, and the status of what the code became") {
  ReplyRule rule = ofStatus(503);
  rule.status = 404;
  const ReplyRules rules(rulesOf(std::move(rule)), json({{"b", {std::string("%LOCAL_REPLY_BODY%")}}}));
  const Fields grpc{{"content-type", "application/grpc"}};

  Answered mapped(rules, Reply{503, "gone", "why"}, "POST", grpc);
  CHECK(mapped.h.client.status == 200);
  CHECK(mapped.h.client.headers ==
        Fields{{"content-type", "application/grpc"}, {"grpc-status", "12"}, {"grpc-message", "{\"b\":\"gone\"}"}});
  Reply named{503, "gone", "why"};
  named.grpc_status = 8;
  Answered kept(rules, std::move(named), "POST", grpc);
  CHECK(kept.h.client.headers[1] == std::pair<std::string, std::string>{"grpc-status", "8"});
}

TEST_CASE("a gRPC status among the fields of a rule is the only one") {
  ReplyRule rule = ofStatus(503);
  rule.headers.add = {{.name = "grpc-status", .value = "4"}};
  const ReplyRules rules(rulesOf(std::move(rule)), nullptr);
  Answered answered(rules, Reply{503, "", "why"}, "POST", {{"content-type", "application/grpc"}});
  CHECK(answered.h.client.headers == Fields{{"content-type", "application/grpc"}, {"grpc-status", "4"}});
}

TEST_CASE("HEAD is told the length of the body that is not sent") {
  const ReplyRules rules({}, text("12345"));
  Answered answered(rules, Reply{404, "", "why"}, "HEAD");
  CHECK(answered.h.client.headers == Fields{{"content-length", "5"}, {"content-type", "text/plain"}});
}

TEST_CASE("streamed answers are not touched") {
  struct Body : ReplyBody {
    Read read(size_t, std::string& piece) override {
      piece = "stored";
      return Read::kEnd;
    }
  };
  const ReplyRules rules(rulesOf(ofStatus(200)), text("never"));
  Reply reply{200, "", "cache", {{"content-type", "text/html"}}};
  reply.stream = std::make_unique<Body>();
  Answered answered(rules, std::move(reply));
  CHECK(answered.h.client.body == "stored");
  CHECK(answered.h.client.headers == Fields{{"content-type", "text/html"}});
}

TEST_CASE("an answer that a filter holds back has not been sent for those who log it") {
  testing::Script held;
  ResumeToken token;
  held.response_headers = [&token](http::ResponseHeaders&, Context& context) -> HookResult {
    token = context.resumeToken();
    return Pause{};
  };
  const ReplyRules rules(rulesOf(ofStatus(503)), nullptr);
  Harness h({testing::scripted(held)});
  h.client.mapper = &rules;
  h.request("GET", {}, true);
  h.runner->localReply(Reply{503, "", "why"});
  CHECK(h.stream.info().response_code == 0);
  token.resume();
  CHECK(h.client.status == 503);
}

}  // namespace
}  // namespace sluice::filter
